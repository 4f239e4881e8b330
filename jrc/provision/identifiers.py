"""Identifiers of devices: those that are given, and those that are to come."""

from collections.abc import Sequence

from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.policy.credentials import check_identifier
from jrc.provision.source import STUCK_HINT, KeySource

MAX_DEVICES = 100_000
"""In one run, as all of it is in memory until it is on disk."""
EUI64_BYTES = 8
_GROUP = 0x01
_LOCAL = 0x02
_SPARSE = 1 << 8
"""Of so many identifiers under a prefix at most one is drawn, so that hardly any is drawn twice."""


def checked(identifiers: Sequence[str]) -> list[PledgeId]:
    """The identifiers in hex as they are, each once.

    Raises:
        OperatorError: one can't be a pledge identifier, or is there twice.
    """
    found: dict[bytes, PledgeId] = {}
    for text in identifiers:
        identifier = _identifier(text)
        if identifier.value in found:
            raise _unfit(
                f"the identifier {identifier} is there twice", "two devices can't share one"
            )
        found[identifier.value] = identifier
    _check_count(len(found))
    return list(found.values())


def drawn(source: KeySource, count: int, prefix: bytes = b"") -> list[PledgeId]:
    """Random identifiers of 8 bytes for devices that have none yet.

    Without ``prefix`` they are EUI-64 of the locally administered, individual kind (IEEE 802-2014
    §8.2): such never meet one that a manufacturer has given.

    Raises:
        OperatorError: the prefix leaves too few, or is one of groups.
    """
    _check_count(count)
    free = EUI64_BYTES - len(prefix)
    if free < 1 or count * _SPARSE > 1 << 8 * free:
        raise _unfit(
            f"a prefix of {len(prefix)} bytes leaves too few identifiers for {count} devices",
            "give a shorter prefix, or the identifiers themselves",
        )
    if prefix and prefix[0] & _GROUP:
        raise _unfit(
            f"the prefix {prefix.hex()} is one of groups, not of devices",
            "the lowest bit of its first byte must be 0",
        )
    found: dict[bytes, PledgeId] = {}
    for _ in range(2 * count + _SPARSE):
        value = prefix + source.identifier(free)
        if not prefix:
            value = bytes((value[0] & ~_GROUP | _LOCAL,)) + value[1:]
        found[value] = PledgeId(value)
        if len(found) == count:
            return list(found.values())
    raise OperatorError("the random source gives the same identifiers again", STUCK_HINT)


def _identifier(text: str) -> PledgeId:
    try:
        identifier = PledgeId.from_hex(text)
        check_identifier(identifier.value)
    except ValueError as error:
        reason = "it is not hex" if "hex" in str(error) else str(error)
        raise _unfit(
            f"{text[:64]!r} is no pledge identifier: {reason}",
            "write it in hex, such as 00124b0014b5b67e",
        ) from None
    return identifier


def _check_count(count: int) -> None:
    if not count:
        raise _unfit("there is no device to make a key for", "name at least one identifier")
    if not 1 <= count <= MAX_DEVICES:
        raise _unfit(
            f"{count} devices, and a run takes 1 to {MAX_DEVICES}", "make them in several runs"
        )


def _unfit(message: str, hint: str) -> OperatorError:
    return OperatorError(message, hint, exit_code=ExitCode.USAGE)
