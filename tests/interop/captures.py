"""Datagrams of real OpenWSN firmware, and what makes an answer one that it joins on.

Nothing of ``jrc.cojp`` is used to look at an answer: keys, nonce and additional data stand in the
captures, the cipher is that of ``cryptography``, the datagrams are read with the lab's few lines.
"""

from typing import Any, Final, NamedTuple

import cbor2
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from jrc.lab import datagram
from tests.cojp.strategies import load

H = bytes.fromhex
OSCORE, PROXY_STATE = 9, 40
TAG_BYTES = 8
"""AES-CCM-16-64-128."""
KEY_BYTES = 16
PROXY_STATE_BYTES = 12
"""Option 40 at its longest: two bytes of head, the EUI-64, two of port."""
CAPTURES: Final[list[dict[str, Any]]] = load("openwsn-captures.json")["captures"]
JOINED: Final = {
    # run: which answers, counted a mote, its ``run_result`` says that the mote joined on
    "A": 1, "M": 1, "B": 1, "C": 2, "D": 3, "G": 3, "O": 2,
}  # fmt: skip
"""Runs of unpatched firmware. Of run F one mote joined, a neighbour of the root, and one never."""


class Mote(NamedTuple):
    """A device of one run, with all that it sent, in its order."""

    name: str
    identifier: bytes
    psk: bytes
    captures: tuple[dict[str, Any], ...]


def motes() -> list[Mote]:
    """The motes of all runs; each has a database of its own, for most have one published key."""
    found: dict[str, list[dict[str, Any]]] = {}
    for capture in CAPTURES:
        found.setdefault(f"{capture['run']}-{capture['eui64']}", []).append(capture)
    return [
        Mote(name, H(sent[0]["eui64"]), H(sent[0]["psk"]), tuple(sent))
        for name, sent in found.items()
    ]


class Form(NamedTuple):
    """What a mote can tell answers apart by, once keys, tag, token and message id are left out.

    ``oscore`` is the OSCORE option's value: a Partial IV in it means another nonce.
    ``state_returned`` says that the options 40 are those of the request, and ``others`` are the
    numbers of further options. ``plaintext`` is the whole inner message, code and Configuration,
    byte for byte, with zeros in the place of the link-layer key; empty where it can't be opened.
    """

    type: int
    code: int
    oscore: bytes
    state_returned: bool
    others: tuple[int, ...]
    plaintext: bytes


def form_of(capture: dict[str, Any], answer: bytes) -> Form:
    """The form of an answer to a captured request; its token must be that of the request."""
    envelope = datagram.decode(answer)
    assert envelope is not None
    assert envelope.token == H(capture["outer"]["token"])
    options = [(int(o.number), o.encode()) for o in envelope.message.opt.option_list()]
    asked = [(number, H(value)) for number, value in capture["outer"]["options"]]
    oscore = next((value for number, value in options if number == OSCORE), b"none")
    return Form(
        envelope.type,
        int(envelope.message.code),
        oscore,
        _of(PROXY_STATE, options) == _of(PROXY_STATE, asked),
        tuple(number for number, _ in options if number not in (OSCORE, PROXY_STATE)),
        b"" if oscore else _masked(plaintext_of(capture, envelope.message.payload)),
    )


def _of(number: int, options: list[tuple[int, bytes]]) -> list[bytes]:
    return [value for found, value in options if found == number]


def plaintext_of(capture: dict[str, Any], ciphertext: bytes) -> bytes:
    """The inner message, under the nonce of the request (RFC 8613 §5.2)."""
    cipher = AESCCM(H(capture["derived"]["jrc_sender_key"]), tag_length=TAG_BYTES)
    return cipher.decrypt(H(capture["nonce"]), ciphertext, H(capture["aad"]))


def _masked(plaintext: bytes) -> bytes:
    """The inner message with zeros for its (last) link-layer key."""
    key = key_of(plaintext)
    return plaintext if key is None else plaintext.replace(key, bytes(KEY_BYTES))


def key_of(plaintext: bytes) -> bytes | None:
    """The (last) link-layer key of a Configuration, None where the message is none."""
    code, marker, payload = plaintext[:1], plaintext[1:2], plaintext[2:]
    if (code, marker) != (b"\x44", b"\xff"):
        return None
    key = cbor2.loads(payload)[2][-1]
    assert isinstance(key, bytes)
    assert len(key) == KEY_BYTES
    return key


def joined_on() -> list[dict[str, Any]]:
    """The captures whose answer unpatched firmware joined on, by their ``run_result``."""
    found = [mote.captures[JOINED[run] - 1] for mote in motes() if (run := mote.name[0]) in JOINED]
    (neighbour_of_root,) = [capture for capture in CAPTURES if capture["id"] == "F1"]
    return [*found, neighbour_of_root]


def good_forms() -> set[Form]:
    """The forms of answers that unpatched firmware joined on."""
    return {form_of(capture, H(capture["response"])) for capture in joined_on()}


def on_the_link(capture: dict[str, Any], answer: bytes) -> int:
    """How long an answer is at most when it reaches the mote, which sends tokens of one byte."""
    envelope = datagram.decode(answer)
    assert envelope is not None
    bare = len(datagram.encode(envelope._replace(token=b"t")))
    has_state = any(number == PROXY_STATE for number, _ in capture["outer"]["options"])
    return bare if has_state else bare + PROXY_STATE_BYTES
