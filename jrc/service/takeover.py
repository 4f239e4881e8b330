"""Keys and short addresses that a running network has already, as its operator writes them down.

The file is one JSON object (``docs/take-over.md``). What is wrong with it is one sentence that
says where, and never what stands there: it may be a key.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jrc.cojp.constants import KEY_USAGES, MAX_KEY_ID
from jrc.cojp.objects import LinkLayerKey
from jrc.errors import ExitCode, OperatorError
from jrc.model import Event, KeySetState, Network, Secret, ShortIdRange
from jrc.policy.keys import KeySet, check_usages, make_key_set
from jrc.policy.leases import is_assignable
from jrc.policy.profiles import check_keys
from jrc.service.key_domains import current_generation, next_number, profiles_in
from jrc.service.network_settings import refused
from jrc.service.records import Domain, Provenance
from jrc.service.registry import Registry

VERSION = 1
"""Of the file's format."""
MAX_KEYS = 2
"""One for beacons and one for data (RFC 9031 §8.4.3.3, Table 6)."""
MAX_RANGES = 0x10000

_FIELDS = {"version", "keys", "short_ids_in_use"}
_KEY_FIELDS = {"key_id", "key_usage", "value", "addinfo"}


@dataclass(frozen=True, slots=True)
class TakeOver:
    """The keys of a network that runs, and the short addresses that its nodes have."""

    keys: tuple[LinkLayerKey, ...]
    short_ids: tuple[ShortIdRange, ...] = ()

    @property
    def key_usages(self) -> tuple[int, ...]:
        """In the order of the keys."""
        return tuple(key.key_usage for key in self.keys)

    @property
    def values(self) -> frozenset[int]:
        """Every short address in use, once."""
        return frozenset(
            value for each in self.short_ids for value in range(each.first, each.last + 1)
        )

    def key_set(self, generation: int) -> KeySet:
        """The keys as those in force."""
        return make_key_set(
            generation,
            KeySetState.CURRENT,
            self.key_usages,
            [key.key_id for key in self.keys],
            [key.key_value for key in self.keys],
            [key.addinfo for key in self.keys],
        )


def parse_take_over(given: Mapping[str, object]) -> TakeOver:
    """What a file says.

    Raises:
        OperatorError: with the place of the first fault. RFC 9031 §8.4.3.3, rows D1 to D4
    """
    if "version" in given and (given["version"] != VERSION or given["version"] is True):
        raise _wrong("version", f"this program reads version {VERSION}")
    _check_fields("the file", given, _FIELDS, {"version", "keys"})
    keys = tuple(_keys(given["keys"]))
    _check_set(keys)
    short_ids = tuple(_short_ids(given.get("short_ids_in_use", [])))
    return TakeOver(tuple(sorted(keys, key=lambda key: key.key_usage)), short_ids)


def take_over_keys(tx: Registry, domain: Domain, taken: TakeOver, actor: str, reason: str) -> None:
    """Put the keys of a network that runs in force, and keep its short addresses from everybody.

    Their fingerprints stay, so that the values are never used again (row D3); the key ids are
    occupied as any others (row D5).

    Raises:
        OperatorError: the domain has keys, devices of it can't take these, or a value is used.
    """
    generations = tx.keysets.generations(domain.id)
    if current_generation(generations) is not None:
        raise refused(
            f"keys-file: key domain {domain.name} has keys already",
            "networks with the same keys share a key domain: leave --keys-file out, or choose"
            " another --key-domain",
        )
    key_set = taken.key_set(next_number(generations))
    key_ids = [key.key_id for key in key_set.keys]
    has_addinfo = any(key.addinfo is not None for key in key_set.keys)
    check_keys(profiles_in(tx, domain.id), taken.key_usages, key_ids, has_addinfo=has_addinfo)
    _check_unused(tx, key_set)
    tx.keysets.add(domain.id, key_set, Provenance.TAKEOVER)
    tx.leases.burn(domain.id, key_set.generation, taken.values)
    detail = {
        "key_domain": domain.name,
        "generation": key_set.generation,
        "key_ids": key_ids,
        "short_ids_in_use": len(taken.values),
    }
    tx.record(Event("key_generation.taken_over", actor, reason=reason, detail=detail))


def _check_unused(tx: Registry, key_set: KeySet) -> None:
    known = tx.keysets.known_values([key.key_value for key in key_set.keys])
    for key in key_set.keys:
        if tx.keysets.fingerprint(key.key_value) in known:
            raise refused(
                f"keys-file: the value of the key with key id {key.key_id} is, or was, in use"
                " in this registrar, and no value is used a second time (RFC 9031 §8.4.3.3)",
                "a network that shares it belongs into the same --key-domain",
            )


def check_free_short_ids(network: Network, taken: TakeOver) -> None:
    """Nothing, if the network has a short identifier left to give.

    Raises:
        OperatorError: its nodes have all of its range.
    """
    own = range(network.short_ids.first, network.short_ids.last + 1)
    if taken.values.issuperset(own):
        raise refused(
            f"short-ids: all of {network.short_ids} are in use by the file's account,"
            " so nobody could join",
            "give another range with --short-ids",
        )


def _check_fields(
    where: str, given: Mapping[str, object], known: set[str], needed: set[str]
) -> None:
    for name in sorted(needed - given.keys()):
        raise _wrong(where, f"{name} is missing")
    if given.keys() - known:
        raise _wrong(where, f"has a field that is none of {', '.join(sorted(known))}")


def _keys(given: object) -> Iterator[LinkLayerKey]:
    if not isinstance(given, list) or not 1 <= len(given) <= MAX_KEYS:
        raise _wrong("keys", "must be a list of one key, or of two: one for beacons, one for data")
    for place, entry in enumerate(given):
        yield _key(f"keys[{place}]", entry)


def _key(where: str, given: object) -> LinkLayerKey:
    if not isinstance(given, dict):
        raise _wrong(where, "must be an object")
    _check_fields(where, given, _KEY_FIELDS, {"key_id", "key_usage", "value"})
    key_id = _number(f"{where}.key_id", given["key_id"], MAX_KEY_ID)
    usage = _number(f"{where}.key_usage", given["key_usage"], max(KEY_USAGES))
    if key_id == 0:
        raise _wrong(
            f"{where}.key_id",
            "key id 0 names a key of two neighbours (RFC 9031 §8.4.3.3), and this is to be the"
            " network's",
            "give the key index that the firmware puts into its frames, 1 to 254",
        )
    addinfo = None
    if given.get("addinfo") is not None:
        addinfo = _bytes(f"{where}.addinfo", given["addinfo"])
    value = Secret(_bytes(f"{where}.value", given["value"]))
    try:
        return LinkLayerKey(key_id, value, usage, addinfo)
    except ValueError as error:
        raise _wrong(where, str(error)) from None


def _number(where: str, given: object, most: int) -> int:
    if type(given) is not int or not 0 <= given <= most:
        raise _wrong(where, f"must be a whole number up to {most}")
    return given


def _bytes(where: str, given: object) -> bytes:
    try:
        return bytes.fromhex(_text(where, given).removeprefix("0x").replace(":", ""))
    except ValueError:
        raise _wrong(where, "must be bytes in hex") from None


def _text(where: str, given: object) -> str:
    if not isinstance(given, str):
        raise _wrong(where, "must be a string")
    return given


def _check_set(keys: Sequence[LinkLayerKey]) -> None:
    """Keys that can't be in force together (rows D3 and D4)."""
    try:
        check_usages([key.key_usage for key in keys])
    except ValueError as error:
        raise refused(f"keys-file: keys: {error}") from None
    first, *others = keys
    for place, other in enumerate(others, start=1):
        if other.key_id == first.key_id:
            raise _wrong(f"keys[{place}].key_id", "keys[0] has it too")
        if other.key_value == first.key_value:
            raise _wrong(
                f"keys[{place}].value",
                "keys[0] has it too; RFC 9031 has one key for beacons and data (key usage 0 to 5),"
                " or two values",
            )


def _short_ids(given: object) -> Iterator[ShortIdRange]:
    where = "short_ids_in_use"
    if not isinstance(given, list) or len(given) > MAX_RANGES:
        raise _wrong(where, 'must be a list such as ["0001", "0010-001f"]')
    for place, entry in enumerate(given):
        yield _range(f"{where}[{place}]", entry)


def _range(where: str, given: object) -> ShortIdRange:
    text = _text(where, given).removeprefix("0x")
    first, dash, last = text.partition("-")
    try:
        values = [int(_four_digits(part), 16) for part in (first, last if dash else first)]
    except ValueError:
        raise _wrong(where, "must be four hex digits, or two of them with a dash") from None
    if not all(map(is_assignable, values)):
        raise _wrong(where, "fffe and ffff are no node's (RFC 9031 §8.4.4.1)")
    try:
        return ShortIdRange(*values)
    except ValueError as error:
        raise _wrong(where, str(error)) from None


def _four_digits(text: str) -> str:
    if len(text) != 4 or not text.isascii() or not text.isalnum():
        raise ValueError
    return text


def _wrong(where: str, what: str, hint: str = "docs/take-over.md has the format") -> OperatorError:
    return OperatorError(f"keys-file: {where}: {what}", hint, exit_code=ExitCode.USAGE)
