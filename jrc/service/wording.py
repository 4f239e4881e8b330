"""How roles, times and lists are written for people and in JSON."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from difflib import get_close_matches

from jrc.cojp.constants import Role
from jrc.errors import ExitCode, OperatorError

ROLE_NAMES = {Role.NODE.value: "6ln", Role.LBR.value: "6lbr"}
"""RFC 9031 §8.4.1, Table 3; a joining node is a 6LoWPAN Node or the Border Router."""

_SHARE = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?(%)?")
_BASE64_KEY = re.compile(r"[A-Za-z0-9+/_-]{22}(==)?")
"""Of 128 bits (RFC 4648 §4, §5)."""
_MAX_SHOWN_CHARACTERS = 24
"""What is longer may be a key of 128 bits in hex."""
MAX_LISTED = 1000
"""How many pledges a plan names; the rest is counted."""


def role_name(role: int) -> str:
    """``6ln`` or ``6lbr``."""
    return ROLE_NAMES.get(role, str(role))


def parse_role(text: str) -> int:
    """The role of a name.

    Raises:
        ValueError: there is no such role.
    """
    for role, name in ROLE_NAMES.items():
        if text.strip().lower() == name:
            return role
    raise ValueError(f"the role {text!r} does not exist; it is 6ln or 6lbr")


def parse_share(text: str) -> int:
    """The per mille of a share that is written as ``0.95`` or ``95%``.

    Raises:
        ValueError: it is none, or a finer one.
    """
    found = _SHARE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text[:64]!r} is no share")
    permille = Decimal(found[1]) * (10 if found[2] else 1000)
    if permille != int(permille) or permille > 1000:
        raise ValueError(f"{text[:64]!r} is no share of 0 to 1 with three decimals")
    return int(permille)


def utc_text(at_ms: int | None) -> str | None:
    """Milliseconds since 1970 as ISO 8601 in UTC, None where there is no time."""
    if at_ms is None:
        return None
    moment = datetime.fromtimestamp(at_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{at_ms % 1000:03d}Z"


def duration(seconds: float) -> str:
    """``2 d 3 h``, ``4 min 5 s``; whole seconds, and parts that are 0 left out."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = ((days, "d"), (hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 s"


def may_hold_key(text: str) -> bool:
    """Whether a text from the wrong field may be a key (RFC 9031 §3), which no message repeats."""
    return len(text) > _MAX_SHOWN_CHARACTERS or _BASE64_KEY.fullmatch(text) is not None


def counted(count: int, noun: str) -> str:
    """``1 pledge``, ``2 pledges``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def listed(words: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *firsts, last = words
    return f"{', '.join(firsts)} and {last}" if firsts else last


def nearest(word: str, known: Iterable[str]) -> str:
    """``; did you mean x?``, or nothing where no known word is near."""
    close = get_close_matches(word, list(known), n=1)
    return f"; did you mean {close[0]}?" if close else ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a command will do, in sentences, and whom it concerns.

    ``pledges`` are the first ``MAX_LISTED`` identifiers in hex, ``count`` is all of them. Where
    ``needs_consent`` is set, the command does nothing unless it was agreed to.
    """

    sentences: Sequence[str]
    pledges: Sequence[str] = ()
    count: int = 0
    needs_consent: bool = False

    def require(self, agreed: bool) -> None:
        """Nothing, if the plan may be carried out.

        Raises:
            OperatorError: with the plan's sentences.
        """
        if self.needs_consent and not agreed:
            raise OperatorError(
                " ".join(self.sentences), "agree with --yes", exit_code=ExitCode.REFUSED
            )
