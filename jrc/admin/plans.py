"""Plans as JSON: what a command will do, shown before it is done."""

from jrc.service.wording import Plan


def plan_json(plan: Plan) -> dict[str, object]:
    """The plan; ``pledges`` are the first of those concerned, ``count`` is how many there are."""
    return {
        "sentences": list(plan.sentences),
        "pledges": list(plan.pledges),
        "count": plan.count,
        "needs_yes": plan.needs_consent,
    }
