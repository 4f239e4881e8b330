"""What opening a sealed file would come to: roles, networks, and pledges that it would change."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from jrc.cli.reporting import say
from jrc.errors import ExitCode, OperatorError
from jrc.service.examine import Outcome
from jrc.service.import_rows import Row
from jrc.service.wording import ROLE_NAMES, counted, parse_role, role_name

_CHANGING = (Outcome.REPLACED, Outcome.CHANGED, Outcome.PENDING)
_MAX_NAMED = 10
_THE_ONLY_ONE = "(none named)"


def refuse_roles(rows: Iterable[Row], allowed: int, name: str) -> None:
    """Nothing, if no row of the file asks for more than the role ``allowed``.

    A border router is what the others trust for their way out: that is the operator's to say.

    Raises:
        OperatorError: some do.
    """
    found = [row for row in rows if _role(row) > allowed]
    if not found:
        return
    first = found[0]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    raise OperatorError(
        f"{name}: row {first.line} (pledge {first.fields.get('pledge_id', '')}){more} would be a"
        f" {role_name(_role(first))}; nothing was stored",
        f"if you expect it, say --role {role_name(_role(first))}",
        exit_code=ExitCode.REFUSED,
    )


def _role(row: Row) -> int:
    """The role that a row asks for; one that there is not is the import's to refuse."""
    try:
        return parse_role(row.fields.get("role", ROLE_NAMES[0]))
    except ValueError:
        return 0


class Outlook:
    """What a dry run has found, for a person and for a script; called with lines of outcomes."""

    def __init__(self, rows: Iterable[Row], networks: Sequence[str]) -> None:
        self._roles: Counter[str] = Counter()
        self._networks: Counter[str] = Counter()
        self._count = 0
        self._first: list[str] = []
        chosen = ";".join(networks)
        for row in rows:
            self._roles[role_name(_role(row))] += 1
            self._networks[chosen or row.fields.get("network", _THE_ONLY_ONE)] += 1

    def __call__(self, _done: Mapping[str, object], lines: Sequence[bytes]) -> None:
        """Take the outcomes of some rows (``service.import_report.RowOutcome``)."""
        for line in lines:
            _, pledge, outcome, *_ = json.loads(line)
            if outcome in _CHANGING:
                self._count += 1
                if self._count <= _MAX_NAMED:
                    self._first.append(f"{pledge} ({outcome})")

    def as_json(self) -> dict[str, object]:
        """For a script."""
        return {
            "roles": dict(self._roles),
            "networks": dict(self._networks),
            "would_change": self._count,
            "first_changed": self._first,
        }

    def tell(self) -> None:
        """For a person."""
        say(f"roles: {_listed(self._roles)}; networks: {_listed(self._networks)}")
        if self._count:
            more = self._count - len(self._first)
            rest = f" and {more} more" if more else ""
            said = f"it would change {counted(self._count, 'pledge')} that are there: "
            say(said + ", ".join(self._first) + rest)


def _listed(counts: Counter[str]) -> str:
    most = counts.most_common(_MAX_NAMED)
    rest = [f"{len(counts) - len(most)} more"] if len(counts) > len(most) else []
    return ", ".join([*(f"{name} ({count})" for name, count in most), *rest])
