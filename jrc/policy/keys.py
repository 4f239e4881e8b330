"""Link-layer key sets: usages, key ids, values that never change their MIC length.

Values are drawn by the caller, from the operating system's generator (RFC 9031 §9).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from jrc.cojp.constants import EVERY_KEY_ID, KEY_USAGES, MAX_KEY_ID, Role
from jrc.cojp.objects import LinkLayerKey
from jrc.errors import OperatorError
from jrc.model import KeySetState, Secret
from jrc.policy.credentials import is_patterned


@dataclass(frozen=True, slots=True)
class KeySet:
    """One generation of a key domain's keys, which are rolled over together (§8.4.3.1)."""

    generation: int
    state: KeySetState
    keys: tuple[LinkLayerKey, ...]


def check_usages(usages: Sequence[int]) -> None:
    """Refuses what leaves Enhanced Beacons or data frames unprotected, or covers either twice.

    So there is one usage of 0 to 5, or one of 6 to 8 with one of 9 to 14 (RFC 9031 Table 6).

    Raises:
        ValueError: with one sentence that names the frames. RFC 9031 §8.4.3.3
    """
    for usage in usages:
        if usage not in KEY_USAGES:
            raise ValueError(f"key usage {usage} does not exist; RFC 9031 has 0 to 14")
    known = [KEY_USAGES[usage] for usage in usages]
    _check_cover("beacons", sum(usage.covers_beacons for usage in known), usages)
    _check_cover("data frames", sum(usage.covers_data for usage in known), usages)


def _check_cover(frames: str, count: int, usages: Sequence[int]) -> None:
    if count == 1:
        return
    fault = "unprotected" if count == 0 else f"to {count} keys"
    given = " and ".join(str(usage) for usage in usages) or "none"
    raise ValueError(
        f"key usages ({given}) leave {frames} {fault};"
        " give one of 0 to 5, or one of 6 to 8 with one of 9 to 14"
    )


def choose_key_ids(
    count: int, in_use: Collection[int], allowed: Collection[int] = EVERY_KEY_ID
) -> tuple[int, ...]:
    """Key ids for new keys: the next free ones above the highest in use, going round at 254.

    ``in_use`` holds those of every set that is not retired, and of aborted ones: a node may still
    have their keys, or have them in their guard time. ``allowed`` are those that all nodes can
    take. RFC 9031 §8.4.3.1

    Raises:
        OperatorError: too few are free.
    """
    highest = max(in_use, default=0)
    around = (*range(highest + 1, MAX_KEY_ID + 1), *range(1, highest + 1))
    free = tuple(key_id for key_id in around if key_id in allowed and key_id not in in_use)
    if len(free) < count:
        raise OperatorError(
            f"{count} new key ids are needed, and {len(free)} of {len(allowed)} are free",
            "finish or abort the rollovers of this key domain, so that old key sets are retired",
        )
    return free[:count]


LOST_GENERATIONS = 64
"""Key ids that a registrar may have gone through since the backup that is all we have of it."""


def choose_key_ids_apart(
    count: int,
    newest: Collection[int],
    known: Collection[int],
    chance: int,
    allowed: Collection[int] = EVERY_KEY_ID,
) -> tuple[int, ...]:
    """Key ids for new keys where those given out last are not known (rows E8 and K6).

    They were chosen upwards from the ``newest`` that we know, going round at 254, so the search
    begins more than ``LOST_GENERATIONS`` above these, at a place that ``chance`` (any number from
    0) picks: a second recovery from the same backup is not to meet the ids of the first. Ids that
    are ``known`` of any generation come last, and the newest never. RFC 9031 §8.4.3.1

    Raises:
        OperatorError: too few are left.
    """
    begin = max(newest, default=0) + LOST_GENERATIONS
    begin += chance % (MAX_KEY_ID - 2 * LOST_GENERATIONS)
    around = [(begin + step) % MAX_KEY_ID + 1 for step in range(MAX_KEY_ID)]
    usable = [key_id for key_id in around if key_id in allowed and key_id not in newest]
    unknown = [key_id for key_id in usable if key_id not in known]
    free = unknown + [key_id for key_id in usable if key_id in known]
    if len(free) < count:
        raise OperatorError(
            f"{count} new key ids are needed, and {len(free)} of {len(allowed)} are free",
            "leave a profile out of this key domain that takes few key ids",
        )
    return tuple(free[:count])


def make_key_set(
    generation: int,
    state: KeySetState,
    usages: Sequence[int],
    key_ids: Sequence[int],
    values: Sequence[Secret],
    addinfos: Sequence[bytes | None] = (),
) -> KeySet:
    """A set with one key for each usage; ids, values (16 bytes) and addinfos in the same order.

    Without ``addinfos`` the keys have none.

    Raises:
        ValueError: usages that don't fit each other, unequal counts, an id or a value given
            twice (two MIC lengths for one value are unsafe), or a key that is invalid by itself.
            RFC 9031 §8.4.3.3
    """
    check_usages(usages)
    if not len(usages) == len(key_ids) == len(values):
        raise ValueError("a key set needs one key id and one value for each key usage")
    if len(set(key_ids)) != len(key_ids):
        raise ValueError("a key id is given twice in one key set")
    if len({value.reveal() for value in values}) != len(values):
        raise ValueError("one value is given to two keys; beacons and data need their own")
    keys = zip(key_ids, values, usages, addinfos or [None] * len(values), strict=True)
    return KeySet(generation, state, tuple(LinkLayerKey(*key) for key in keys))


PUBLISHED_LINK_LAYER_KEYS = frozenset(
    bytes.fromhex(text)
    for text in (
        "e6bf4287c2d7618d6a9687445ffd33e6",  # RFC 9031 App. A, and OpenWSN's JRC
        "365469534348206d696e696d616c3135",  # "6TiSCH minimal15": K1 of RFC 8180 and Contiki-NG
        "deadbeeffacecafe" * 2,  # K2 of Contiki-NG
    )
)
"""What everybody can read, and what is compiled into much firmware all the same."""


def is_public(value: Secret) -> bool:
    """Whether a key value is a published one, or a pattern that anybody would try."""
    return value.reveal() in PUBLISHED_LINK_LAYER_KEYS or is_patterned(value.reveal())


def keys_for_join(
    current: KeySet, previous: KeySet | None, role: int, max_keys: int
) -> tuple[LinkLayerKey, ...]:
    """The keys a Join Response carries; a set that is being distributed never (row E3).

    Between the switch and the end of the guard time there is a ``previous`` set, which some nodes
    still send with: a 6LN gets both, the older one first, if it can hold so many; a 6LBR sends
    with what it is given, so it gets the new one alone. RFC 9031 §8.4.3.1-2
    """
    if previous is None or role == Role.LBR:
        return current.keys
    both = previous.keys + current.keys
    return both if len(both) <= max_keys else current.keys


def current_keys(key_sets: Iterable[KeySet]) -> tuple[LinkLayerKey, ...]:
    """The keys of the set in force, which alone a Join Response carries; empty if there is none.

    A set that is still being distributed is not told to whoever joins. RFC 9031 §8.4.3.1
    """
    for key_set in key_sets:
        if key_set.state is KeySetState.CURRENT:
            return key_set.keys
    return ()


def check_key_values(new: Iterable[tuple[bytes, int]], known: Mapping[bytes, int]) -> None:
    """Refuses a key value that would be used with a second MIC length, under whatever key id.

    ``new`` pairs the fingerprint of a value with its MIC length in bytes; ``known`` has those of
    every key there ever was in any domain.

    Raises:
        ValueError: naming the two lengths. RFC 9031 §8.4.3.3
    """
    seen: dict[bytes, int] = {}
    for fingerprint, mic_length in new:
        former = known.get(fingerprint, seen.setdefault(fingerprint, mic_length))
        if former != mic_length:
            raise ValueError(
                f"a key value was used with MICs of {former} bytes, and is never used with"
                f" {mic_length}: a changed usage needs a new key"
            )
