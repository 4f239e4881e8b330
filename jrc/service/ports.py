"""What the use cases need from the outside, as Protocols; ``app/`` connects the real things."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from jrc.errors import Reason
from jrc.model import Secret
from jrc.policy.interface import Interface


class Clock(Protocol):
    """Time, given and not looked up."""

    def now_ms(self) -> int:
        """Wall-clock milliseconds since 1970."""
        ...


class Way(Protocol):
    """How a datagram came, and so the way back; what is in it is the endpoint's own affair."""

    def peer_address(self) -> bytes:
        """The 16 bytes of the IPv6 address it came from."""
        ...

    def forwarded_for(self) -> tuple[bytes, str] | None:
        """The pledge's own address and the interface, where this host's Join Proxy forwarded it."""
        ...


class Arrived(Protocol):
    """A datagram as the endpoint read it."""

    @property
    def payload(self) -> bytes:
        """Its bytes; only the first ones where it was ``truncated``."""
        ...

    @property
    def truncated(self) -> bool:
        """Whether it was longer than the endpoint reads."""
        ...

    @property
    def to_multicast(self) -> bool:
        """Whether it was sent to a group (RFC 7252 §11.3)."""
        ...

    @property
    def way(self) -> Way:
        """The way back."""
        ...


class InterfaceWatcher(Protocol):
    """Follows an interface of this host by name, also one that comes late, goes or comes back.

    Whoever makes one gives a function that is called in ``start`` with what is there, then at
    each change; None stands for no such interface. Where the kernel is slow, ``start`` does not
    wait for it.
    """

    @property
    def current(self) -> Interface | None:
        """The interface as it was when it was last looked at."""
        ...

    @property
    def is_known(self) -> bool:
        """Whether it was ever looked at: until the kernel answers, ``current`` says nothing."""
        ...

    async def start(self) -> None:
        """Look once, then follow.

        Raises:
            OperatorError: this process may not ask the kernel.
        """
        ...

    async def stop(self) -> None:
        """Follow no more."""
        ...


WatchInterface = Callable[[str, Callable[[Interface | None], None]], InterfaceWatcher]
"""Makes a watcher of an interface's name and the function to call; ``net.InterfaceWatch`` fits."""


class InstallOutcome(NamedTuple):
    """How a run of an installer ended; ``how`` in words, ``said`` is the beginning of its stderr.

    What it said may hold keys and goes nowhere before ``key_document.shown_line`` has seen it.
    """

    installed: bool
    how: str = ""
    said: bytes = b""


class KeyInstaller(Protocol):
    """Puts link-layer keys into the radio of a 6LBR that is no CoJP node.

    One that ``is_local`` works on a radio of this host: it is told the nodes as well, and asked
    now and then whether the radio ``keeps`` what it was given.
    """

    @property
    def is_local(self) -> bool:
        """Whether its document is to name the nodes that have joined."""
        ...

    async def keeps(self) -> bool:
        """Whether the radio still has what was put in last, as far as that can be told."""
        ...

    async def install(self, network: str, document: Secret) -> InstallOutcome:
        """Put in what ``document`` says (``service/key_document.py``); takes a bounded time.

        Cancelled, it ends what it has begun before it returns.
        """
        ...


class Sender(Protocol):
    """Sends datagrams; one that can't leave is not an error (its request will be repeated)."""

    def send(self, datagram: bytes, way: Any) -> None:
        """Send ``datagram`` back the way a request came, which this endpoint itself gave out."""
        ...


class Metrics(Protocol):
    """Counters of the join path; each call is a plain increment."""

    def received(self, count: int) -> None:
        """``count`` datagrams were read from a socket."""
        ...

    def dropped(self, reason: Reason) -> None:
        """A datagram ended in silence."""
        ...

    def damaged(self, message: str) -> None:
        """A row did not authenticate: silence, and something for the operator to look at."""
        ...

    def answered(self, network: str, reason: Reason | None) -> None:
        """A new protected answer left; ``reason`` is None for a Configuration."""
        ...

    def resent(self) -> None:
        """A stored answer left once more."""
        ...

    def recovered(self) -> None:
        """An RFC 8613 App. B.2 run was completed; those begun are answers with their reason."""
        ...

    def key_changed(self, identifier: bytes) -> None:
        """A pledge has joined with a key that waited, which is its only one from now on."""
        ...

    def committed(self, batch: int) -> None:
        """A transaction with ``batch`` requests is on disk."""
        ...


class WriterMeter(Protocol):
    """Times of the thread that writes; called there."""

    def transacted(self, whole_s: float, commit_s: float) -> None:
        """A transaction of joins is on disk, and how long it took, its commit included."""
        ...

    def worked(self, seconds: float, *, at_joins: bool) -> None:
        """The thread was busy for so long."""
        ...
