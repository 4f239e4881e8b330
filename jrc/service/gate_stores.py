"""What the use cases need of the store to choose whom a network admits; part of ``Registry``."""

from collections.abc import Collection, Sequence
from typing import Protocol

from jrc.policy.admission import Admittance
from jrc.policy.windows import JoinWindow


class WindowStore(Protocol):
    """Join windows; each row is authenticated as it is read."""

    @property
    def seen_ms(self) -> int:
        """The latest time that the database has seen, in ms since 1970."""
        ...

    def not_closed(self) -> Sequence[JoinWindow]:
        """Every window that was not closed; its time may have run out."""
        ...

    def newest(self, limit: int) -> Sequence[JoinWindow]:
        """The last windows of all networks, newest first."""
        ...

    def add(self, window: JoinWindow) -> JoinWindow:
        """Write a new window; what comes back has its number."""
        ...

    def save(self, window: JoinWindow) -> None:
        """Write a changed window."""
        ...


class AdmissionStore(Protocol):
    """Who was let into networks that do not admit everybody, and who waits for approval."""

    def find(self, pledge_id: int, network_id: int) -> Admittance | None:
        """Whether a pledge was let in or waits.

        Raises:
            StateError: the row does not authenticate.
        """
        ...

    def admit(self, pledge_id: int, network_id: int) -> None:
        """Let a pledge in, whether it waited or not.

        Raises:
            StateError: the row that is there does not authenticate.
        """
        ...

    def admit_joined(self, network_id: int) -> None:
        """Let in for good whoever has joined a network, but those who are revoked."""
        ...

    def forget(self, pledge_id: int, *, but: Collection[int] = ()) -> None:
        """A pledge was let into no network ``but`` these, and waits for no other."""
        ...

    def forget_admitted(self, pledge_id: int) -> None:
        """A pledge was let into no network; it may go on waiting for some."""
        ...

    def forget_network(self, network_id: int, *, waiting_only: bool = False) -> None:
        """Nobody was let into a network; with ``waiting_only`` nobody waits for it."""
        ...


class GateRows(Protocol):
    """Who may come into networks that do not admit everybody, as rows of a join's transaction."""

    @property
    def seen_ms(self) -> int:
        """The latest time that the database has seen, in ms since 1970."""
        ...

    def admittance(self, pledge_id: int, network_id: int) -> Admittance | None:
        """Whether a pledge was let in or waits, with what this transaction has changed.

        Raises:
            StateError: the row does not authenticate.
        """
        ...

    def save_admittance(self, entry: Admittance) -> None:
        """Write that a pledge was let in or waits; version 1 is a new row."""
        ...

    def window(self, network_id: int) -> JoinWindow | None:
        """The window of a network that was not closed, with what this transaction has changed.

        Raises:
            StateError: the row does not authenticate.
        """
        ...

    def save_window(self, window: JoinWindow) -> None:
        """Write a window that was changed."""
        ...
