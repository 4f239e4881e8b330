"""Whether the database may be used, as the use cases ask for it (RFC 9031 §8.3.3)."""

from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition
from jrc.service.records import DatabaseState
from jrc.service.registry import Registry


def is_open(tx: Registry) -> bool:
    """Whether pledges may be answered and nodes told: nothing may repeat what was said before."""
    return tx.database.condition is Condition.OPEN


def closed_sentence(state: DatabaseState) -> str | None:
    """Why nobody is answered and what to do, None where the database is open."""
    if state.condition is Condition.OPEN:
        return None
    if state.condition is Condition.QUARANTINED:
        return f"the database is quarantined: {state.detail}; {remedy(state.condition)}"
    why = state.detail or "its final backup was made"
    return f"the database was moved to another host: {why}; {remedy(state.condition)}"


def remedy(condition: Condition) -> str:
    """What to do about a database that is not open."""
    if condition is Condition.QUARANTINED:
        return (
            "put the newest database back if you have it, else run `jrc recover`, which says first"
            " what it does (docs/recovery.md)"
        )
    return (
        "use the registrar on that host; if the backup was never restored there, `jrc quarantine`"
        " and then `jrc recover` bring this database back"
    )


def require_open(tx: Registry, what: str) -> None:
    """Nothing, if the database is open; ``what`` is the beginning of the sentence otherwise.

    Raises:
        OperatorError: it is quarantined or was moved.
    """
    state = tx.database
    if state.condition is Condition.OPEN:
        return
    where = "quarantined" if state.condition is Condition.QUARANTINED else "moved to another host"
    raise OperatorError(
        f"{what} while the database is {where}: {state.detail}",
        remedy(state.condition),
        exit_code=ExitCode.REFUSED,
    )
