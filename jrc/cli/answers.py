"""Parts of an answer of the admin API, as what its contract says they are."""

from jrc.cli.output import Record


def records(value: object) -> list[Record]:
    """A list of objects."""
    assert isinstance(value, list)
    return value


def words(value: object) -> list[str]:
    """A list of sentences, or of names."""
    assert isinstance(value, list)
    return [str(item) for item in value]


def as_before(done: Record) -> str:
    """What follows the state of something that was changed, or was not."""
    return "" if done["changed"] else ", as before"


def number(value: object) -> int:
    """A number."""
    assert isinstance(value, int)
    return value
