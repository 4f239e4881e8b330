"""Tokens of the admin API: who may use it over TCP, for what, and until when.

A token is 256 random bits, so its plain SHA-256 tells nobody anything, and looking one up by that
needs no more time than is right: who tries bytes of a token learns of bytes of its hash alone. A
row carries a MAC, so that nobody gets in by writing to the database. A token is of one incarnation
of the database (docs/recovery.md): an old copy could have one that was revoked since.
"""

import base64
import hmac
import re
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final

from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition, Event
from jrc.policy.scopes import Scope
from jrc.service.registry import Registry
from jrc.service.token_store import TokenRecord
from jrc.service.windows import parse_duration
from jrc.service.wording import utc_text

PREFIX: Final = "jrc_"
"""What secret scanners know a token by."""
TOKEN_BYTES: Final = 32
MAX_TOKENS: Final = 256
"""Those that were not revoked."""
MAX_LIFE_S: Final = 10 * 366 * 86_400
LIFE_S: Final = 90 * 86_400
"""Where nobody says how long it is good."""
FOR_EVER: Final = "never"
USE_NOTED_EVERY_MS: Final = 3_600_000
"""How exact `last used` is: a write for each request would be a commit for each."""

_TOKEN: Final = re.compile(r"jrc_[A-Za-z0-9_-]{43}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class Doubt(StrEnum):
    """Why a token does not count; for the metric alone, callers are all told the same."""

    MISSING = "missing"
    MALFORMED = "malformed"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    REVOKED = "revoked"
    CLOSED = "closed"
    LIMITED = "limited"


class TokenState(StrEnum):
    """``VOID``: it is from before the database was recovered."""

    GOOD = "good"
    EXPIRED = "expired"
    REVOKED = "revoked"
    VOID = "void"


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenReport:
    """A token as listings show it; times in UTC, ``last_used`` to the hour."""

    name: str
    scope: str
    state: str
    created: str | None
    expires: str | None
    last_used: str | None
    revoked: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAdded:
    """A new token; ``token`` is shown once and kept nowhere."""

    name: str
    scope: str
    expires: str | None
    token: str


def parse_life(text: str) -> int | None:
    """The seconds after which a token ends, None for ``never``.

    Raises:
        ValueError: it is written otherwise.
    """
    return None if text.strip().lower() == FOR_EVER else parse_duration(text)


def add_token(
    tx: Registry,
    name: str,
    scope: Scope,
    *,
    expires_in_s: int | None,
    actor: str,
    reason: str = "",
) -> TokenAdded:
    """A new token, which is good from now on.

    Raises:
        OperatorError: the name is taken or none, the time is out of bounds, or there are too many.
    """
    _check(tx, name, expires_in_s)
    secret = tx.random(TOKEN_BYTES)
    text = PREFIX + base64.urlsafe_b64encode(secret).decode().rstrip("=")
    record = tx.tokens.add(
        TokenRecord(
            id=0,
            name=name,
            scope=scope,
            hash=token_hash(text),
            incarnation=tx.database.incarnation,
            created_at_ms=tx.now_ms,
            expires_at_ms=None if expires_in_s is None else tx.now_ms + 1000 * expires_in_s,
            used_at_ms=None,
            revoked_at_ms=None,
            version=1,
        )
    )
    expires = utc_text(record.expires_at_ms)
    detail = {"name": name, "scope": scope.value, "expires": expires}
    tx.record(Event("token.added", actor, None, None, reason, detail))
    return TokenAdded(name=name, scope=scope.value, expires=expires, token=text)


def _check(tx: Registry, name: str, expires_in_s: int | None) -> None:
    if _NAME.fullmatch(name) is None:
        raise OperatorError(
            "name: a token's name is 1 to 64 letters, digits, '.', '_' and '-'",
            "call it by who has it: ci-firmware",
            exit_code=ExitCode.USAGE,
        )
    if expires_in_s is not None and not 1 <= expires_in_s <= MAX_LIFE_S:
        raise OperatorError(
            f"expires: a token is good for 1 s to {MAX_LIFE_S // 86_400} days, or for ever",
            "write it as 90d, 12h or never",
            exit_code=ExitCode.USAGE,
        )
    if tx.tokens.live(name) is not None:
        raise OperatorError(
            f"there is a token called {name}",
            f"name it otherwise, or end that one first: `jrc token revoke {name}`",
            exit_code=ExitCode.REFUSED,
        )
    if sum(each.revoked_at_ms is None for each in tx.tokens.all()) >= MAX_TOKENS:
        raise OperatorError(
            f"there are {MAX_TOKENS} tokens",
            "`jrc token list` shows them; revoke those that nobody needs",
            exit_code=ExitCode.REFUSED,
        )


def revoke_token(tx: Registry, name: str, *, actor: str, reason: str = "") -> TokenReport:
    """End a token: no request with it is answered after this transaction.

    Raises:
        OperatorError: there is none of that name.
    """
    record = tx.tokens.live(name)
    if record is None:
        raise OperatorError(f"there is no token called {name[:64]!r}", "see: jrc token list --all")
    ended = record._replace(revoked_at_ms=tx.now_ms)
    tx.tokens.save(ended)
    detail = {"name": name, "scope": record.scope.value}
    tx.record(Event("token.revoked", actor, None, None, reason, detail))
    return _report(tx, ended)


def list_tokens(tx: Registry, *, with_past: bool = False) -> list[TokenReport]:
    """The tokens, oldest first; ``with_past`` those that were revoked as well."""
    found = [each for each in tx.tokens.all() if with_past or each.revoked_at_ms is None]
    return [_report(tx, each) for each in found]


def lasting_tokens(tx: Registry) -> list[str]:
    """The names of good tokens that never expire."""
    return [
        each.name
        for each in tx.tokens.all()
        if each.expires_at_ms is None and _state(tx, each) is TokenState.GOOD
    ]


def token_hash(text: str) -> bytes:
    """What is kept of a token."""
    return sha256(text.encode()).digest()


def good_hashes(tx: Registry) -> list[bytes]:
    """``token_hash`` of all tokens that count."""
    return [each.hash for each in tx.tokens.all() if _state(tx, each) is TokenState.GOOD]


def is_token(text: str) -> bool:
    """Whether a text has the form of a token, so that looking it up is worth it."""
    return _TOKEN.fullmatch(text) is not None


def check_token(tx: Registry, text: str) -> TokenRecord | Doubt:
    """The token of a request, or why it does not count.

    None counts while the database may not be used: an old copy may have one that was revoked.
    """
    if not is_token(text):
        return Doubt.MALFORMED
    value = token_hash(text)
    found = tx.tokens.by_hash(value)
    if found is None or not hmac.compare_digest(found.hash, value):
        return Doubt.UNKNOWN
    if tx.database.condition is not Condition.OPEN:
        return Doubt.CLOSED
    state = _state(tx, found)
    if state is TokenState.GOOD:
        return found
    return Doubt.EXPIRED if state is TokenState.EXPIRED else Doubt.REVOKED


def needs_note(tx: Registry, record: TokenRecord) -> bool:
    """Whether it is so long since the last use was noted that this one is to be."""
    return tx.now_ms - (record.used_at_ms or 0) >= USE_NOTED_EVERY_MS


def note_use(tx: Registry, name: str) -> None:
    """Write that a token was used just now; one that was revoked meanwhile stays as it is."""
    record = tx.tokens.live(name)
    if record is not None and needs_note(tx, record):
        tx.tokens.save(record._replace(used_at_ms=tx.now_ms))


def _state(tx: Registry, record: TokenRecord) -> TokenState:
    """A clock that was set back makes no token good again: the database has seen later times."""
    if record.revoked_at_ms is not None:
        return TokenState.REVOKED
    if record.incarnation != tx.database.incarnation:
        return TokenState.VOID
    now_ms = max(tx.now_ms, tx.windows.seen_ms)
    if record.expires_at_ms is not None and record.expires_at_ms <= now_ms:
        return TokenState.EXPIRED
    return TokenState.GOOD


def _report(tx: Registry, record: TokenRecord) -> TokenReport:
    return TokenReport(
        name=record.name,
        scope=record.scope.value,
        state=_state(tx, record).value,
        created=utc_text(record.created_at_ms),
        expires=utc_text(record.expires_at_ms),
        last_used=utc_text(record.used_at_ms),
        revoked=utc_text(record.revoked_at_ms),
    )
