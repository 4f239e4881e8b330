"""Between who decides what a node is told and who tells it (RFC 9031 §8.2); ``app/`` connects."""

from enum import StrEnum
from ipaddress import IPv6Address
from typing import NamedTuple, Protocol

from jrc.cojp.oscore_context import SecurityContext
from jrc.cojp.replay import NumberBlock


class PreparedUpdate(NamedTuple):
    """One Parameter Update of one node; the whole exchange goes to one of its addresses.

    ``ref`` comes back with the outcome. ``node`` is the pledge's number: one exchange at a time is
    open with it (NSTART, RFC 9031 §7.2). ``numbers`` are reserved, on disk and for this update
    alone; what is left of them at its end is lost. ``payload`` is the Configuration. The last two
    are traits of the node's profile, for the outer request.
    """

    ref: object
    node: int
    network: int
    address: IPv6Address
    security: SecurityContext
    numbers: NumberBlock
    payload: bytes
    with_kid_context: bool
    with_uri_host: bool


class Answered(NamedTuple):
    """A protected answer that verified: the inner code and payload."""

    code: int
    payload: bytes


class UpdateError(StrEnum):
    """Why an update has no answer."""

    NO_ANSWER = "no_answer"
    """Sent as often as is allowed, and waited for (RFC 7252 §4.2)."""
    OUT_OF_NUMBERS = "out_of_numbers"
    """The block was empty, or the node asked for more repetitions than it holds."""
    NUMBERS_NOT_DUE = "numbers_not_due"
    """Its numbers are of a time long after now: the clock went back."""
    ECHO_LOOP = "echo_loop"
    """The node asked for the request again and again (RFC 9175 §2.3)."""
    CANCELLED = "cancelled"


class UpdateHint(StrEnum):
    """What was heard last without protection, and so may be anybody's word."""

    ACKNOWLEDGED = "acknowledged"
    """An empty ACK."""
    RESET = "reset"
    """A Reset: the node may have lost its context, or run no CoAP server."""
    UNREACHABLE = "unreachable"
    """This host could not send: no route, no address, no socket."""


class UpdateOutcome(NamedTuple):
    """How an update ended: with an ``answer``, whatever its code, or with an ``error``.

    ``error`` is an ``UpdateError``, ``hint`` an ``UpdateHint``. ``transmissions`` counts datagrams
    that left, retransmissions and repetitions alike: with 0 nobody can have got the Configuration.
    """

    ref: object
    node: int
    answer: Answered | None
    error: str | None
    hint: str | None
    transmissions: int


class UpdateSender(Protocol):
    """Sends updates; each one that was begun ends with one ``UpdateOutcome``."""

    @property
    def open(self) -> int:
        """Updates that were begun and have not ended."""
        ...

    def begin(self, *updates: PreparedUpdate) -> None:
        """Take updates; each leaves when its node, its network's pace and its number allow."""
        ...

    def cancel(self, node: int) -> None:
        """End what is open with a node, at once; nothing more of it is sent."""
        ...
