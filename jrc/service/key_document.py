"""What an installer gets to read: the keys of a network as one JSON document.

Its fields are described in ``docs/border-router.md``; names and meanings stay, fields are added.
"""

import base64
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from jrc.cojp.objects import LinkLayerKey
from jrc.model import KeySetState, Secret
from jrc.policy.keys import KeySet
from jrc.service.records import JoinedNode

FORMAT = 1
_EUI64_BYTES = 8
MAX_SAID_BYTES = 4096
"""What is read of an installer's standard error."""
MAX_SHOWN_CHARACTERS = 200

WITHHELD = "(withheld: it holds a part of a key)"
_TELLING_BYTES = 4
"""So many bytes of a key in a row are no chance, and give too much away."""
_TELLING_BASE64 = 6
_BETWEEN_DIGITS = re.compile(r"0x|\\x|[\s:,._\-\[\](){}'\"]", re.IGNORECASE)
_NUMBERS = re.compile(rb"\d+")
_SHOWN_FIRST = (KeySetState.CURRENT, KeySetState.PREVIOUS, KeySetState.SCHEDULED)


class InstallReason(StrEnum):
    """Why an installer is run."""

    START = "start"
    """The registrar has started: the radio may know nothing."""
    CHANGE = "change"
    COMMAND = "command"
    """`jrc network install`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedKeys:
    """What the radios of a network are to have: every set of keys that is not retired.

    ``generation`` is the one in force. ``nodes`` are those that have joined, None where whoever
    puts the keys in is not told of them.
    """

    network: str
    network_id: int
    identifiers: tuple[bytes, ...]
    generation: int
    key_sets: tuple[KeySet, ...]
    nodes: tuple[JoinedNode, ...] | None = None

    def has_keys_of(self, other: "WantedKeys | None") -> bool:
        """Whether it differs from another, if from any, in its nodes alone."""
        return other is not None and replace(other, nodes=self.nodes) == self

    @property
    def values(self) -> list[Secret]:
        """Every key value in it."""
        return [key.key_value for key_set in self.key_sets for key in key_set.keys]


def key_document(wanted: WantedKeys, reason: InstallReason) -> Secret:
    """The document, one line of UTF-8; keys in force come first."""
    sets = sorted(wanted.key_sets, key=lambda each: _SHOWN_FIRST.index(each.state))
    document: dict[str, object] = {
        "format": FORMAT,
        "reason": reason.value,
        "network": wanted.network,
        "identifiers": [value.hex() for value in wanted.identifiers],
        "generation": wanted.generation,
        "keys": [_key(each, key) for each in sets for key in each.keys],
    }
    if wanted.nodes is not None:
        document["nodes"] = [_node(each) for each in wanted.nodes if _has_eui64(each)]
    return Secret(json.dumps(document).encode() + b"\n")


def _key(key_set: KeySet, key: LinkLayerKey) -> dict[str, object]:
    """``mic_length`` in bytes; ``addinfo`` in hex, null in Key ID Mode 1 (RFC 9031 §8.4.3.3)."""
    return {
        "generation": key_set.generation,
        "state": key_set.state.value,
        "key_id": key.key_id,
        "key_usage": key.key_usage,
        "mic_length": key.mic_length,
        "addinfo": None if key.addinfo is None else key.addinfo.hex(),
        "value": key.key_value.reveal().hex(),
    }


def _has_eui64(node: JoinedNode) -> bool:
    return len(node.identifier) == _EUI64_BYTES


def _node(node: JoinedNode) -> dict[str, object]:
    """``short_id`` in hex, null where the node has none."""
    short = node.short_identifier
    return {
        "eui64": node.identifier.hex(),
        "short_id": None if short is None else f"{short:04x}",
    }


def shown_line(said: bytes, values: Sequence[Secret]) -> str:
    """The first line of an installer's standard error as a log may have it; may be empty.

    A line with a part of a key in it, however it is written, is withheld.
    """
    line = next((line for line in said.splitlines() if line.strip()), b"")
    if any(_tells_of(line, value.reveal()) for value in values):
        return WITHHELD
    text = line.decode(errors="replace").strip()
    return text if len(text) <= MAX_SHOWN_CHARACTERS else f"{text[:MAX_SHOWN_CHARACTERS]}..."


def _tells_of(line: bytes, key: bytes) -> bool:
    digits = _BETWEEN_DIGITS.sub("", line.decode("latin-1")).lower()
    numbers = bytes(
        int(word) for word in _NUMBERS.findall(line) if len(word) < 4 and int(word) < 256
    )
    base64_text = line.replace(b"-", b"+").replace(b"_", b"/")
    if any(_is_in(part, line, digits, numbers) for part in _parts(key)):
        return True
    return any(part in base64_text for part in _base64_parts(key))


def _parts(key: bytes) -> Iterator[bytes]:
    for at in range(len(key) - _TELLING_BYTES + 1):
        yield key[at : at + _TELLING_BYTES]


def _is_in(part: bytes, line: bytes, digits: str, numbers: bytes) -> bool:
    """Raw, as a string of Python or C, as digits, or as a list of numbers."""
    escaped = repr(part)[2:-1].encode()
    return part in line or escaped in line or part.hex() in digits or part in numbers


def _base64_parts(key: bytes) -> Iterator[bytes]:
    """Runs of base64 that a key makes, at whichever place of a longer text it stands."""
    for offset in range(3):
        text = base64.b64encode(bytes(offset) + key)
        inner = text[4 * (offset > 0) : (offset + len(key)) // 3 * 4]
        for at in range(len(inner) - _TELLING_BASE64 + 1):
            yield inner[at : at + _TELLING_BASE64]
