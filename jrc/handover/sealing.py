"""A sealed file is made, looked at, and opened (docs/handover.md)."""

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import NamedTuple

from jrc.errors import StateError
from jrc.handover import cose, refusals
from jrc.handover.envelope import Cover, Inner, Outer, read_inner, read_outer
from jrc.handover.keys import PrivateKey, PublicKey
from jrc.handover.rows import row_count
from jrc.model import Secret

USUAL_LIFE_S = 30 * 86_400
MAX_LIFE_S = 366 * 86_400
AHEAD_MS = 600_000
"""So far a builder's clock may be ahead of ours."""
_SERIAL_BYTES = 16


class Seen(NamedTuple):
    """What can be told of a sealed file without the registrar's key.

    ``is_verified``: the signature is of one of the builders that were named.
    """

    cover: Cover
    is_verified: bool


class Opened(NamedTuple):
    """A sealed file that was opened; ``digest`` is its SHA-256."""

    cover: Cover
    digest: bytes
    content: Secret


def new_serial(random: Callable[[int], bytes] = os.urandom) -> str:
    """One that nobody has used."""
    return random(_SERIAL_BYTES).hex()


def seal(content: Secret, cover: Cover, builder: PrivateKey, registrar: PublicKey) -> bytes:
    """The sealed file.

    Raises:
        StateError: what was written can't be read.
    """
    sealed = cose.seal(content, cover, builder, registrar)
    outer = read_outer(sealed, "the sealed file")
    if read_inner(outer, "the sealed file").cover != cover:
        raise StateError("the sealed file does not say what it was given")
    return sealed


def look(data: bytes, name: str, builders: Sequence[PublicKey] = ()) -> Seen:
    """What is on the cover; with ``builders`` only if one of them has signed it.

    Raises:
        OperatorError: it is no sealed file, or none of theirs.
    """
    outer = read_outer(data, name)
    if builders:
        _verify(outer, name, builders)
    return Seen(read_inner(outer, name).cover, bool(builders))


def open_sealed(
    data: bytes,
    name: str,
    *,
    builders: Sequence[PublicKey],
    registrar: PrivateKey,
    now_ms: int,
) -> Opened:
    """The content of a file that one of ``builders`` has sealed for us.

    Nothing of it is used before the signature is verified.

    Raises:
        OperatorError: it is refused, for one of the reasons in ``refusals.py``.
    """
    outer = read_outer(data, name)
    _verify(outer, name, builders)
    inner = read_inner(outer, name)
    if inner.cover.registrar != registrar.public.key_id:
        raise refusals.other_registrar(name, inner.cover.registrar, registrar.public.fingerprint)
    _check_time(inner.cover, name, now_ms)
    return Opened(inner.cover, sha256(data).digest(), _content(inner, registrar, name))


def _verify(outer: Outer, name: str, builders: Sequence[PublicKey]) -> None:
    builder = next((each for each in builders if each.key_id == outer.builder), None)
    if builder is None:
        trusted = [each.fingerprint for each in builders]
        raise refusals.other_builder(name, outer.builder, trusted)
    if not cose.is_signed(outer, builder):
        raise refusals.tampered(name)


def _check_time(cover: Cover, name: str, now_ms: int) -> None:
    if now_ms + AHEAD_MS < cover.made_at_s * 1000:
        raise refusals.from_the_future(name, cover.made_at_s, now_ms)
    if now_ms >= cover.expires_at_s * 1000:
        raise refusals.expired(name, cover.expires_at_s, now_ms)
    if cover.expires_at_s - cover.made_at_s > MAX_LIFE_S:
        raise refusals.lives_too_long(name, MAX_LIFE_S // 86_400)


def _content(inner: Inner, registrar: PrivateKey, name: str) -> Secret:
    try:
        content = cose.decrypt(inner, registrar)
    except cose.DoesNotOpenError:
        raise refusals.does_not_open(name) from None
    if row_count(content) != inner.cover.rows:
        raise refusals.other_rows(name, inner.cover.rows)
    return content
