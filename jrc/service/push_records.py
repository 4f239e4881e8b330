"""What telling nodes settings and leases needs of the store (RFC 9031 §8.2, §8.4.2, §8.4.4)."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import NamedTuple, Protocol

from jrc.model import Profile
from jrc.policy.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeUpdate:
    """How it goes with telling a node what it lacks besides keys; times in ms since 1970.

    ``attempts`` are those since it last acknowledged. ``next_at_ms`` is None where nothing is to
    be told. ``refused_number`` is that of settings it can't act upon. ``lease_sent_at_ms`` is of a
    lease that was sent and not acknowledged. ``throttle`` is a join rate of this node alone, and
    ``told_throttle`` the last one that may have reached it.
    """

    pledge_id: int
    attempts: int = 0
    last_error: str | None = None
    tried_at_ms: int | None = None
    next_at_ms: int | None = None
    acknowledged_at_ms: int | None = None
    refused_number: int | None = None
    lease_sent_at_ms: int | None = None
    throttle: int | None = None
    told_throttle: int | None = None


class DuePush(NamedTuple):
    """A node that is to be told, in which network and role, after so many attempts."""

    pledge_id: int
    network_id: int
    role: int
    attempts: int


class NodeRow(NamedTuple):
    """A pledge that has joined, as its row says; ``profile`` is that of the pledge, if any.

    ``place_number`` is of ``policy.settings``, ``generation`` counts the keys of its key domain,
    None for one that was given none.
    """

    pledge_id: int
    identifier: bytes
    network_id: int
    role: int
    profile: Profile | None
    generation: int | None
    place_number: int
    address: IPv6Address | None
    sleep_s: int | None


class PushStore(Protocol):
    """Settings of networks by number, and which nodes are to be told."""

    # Settings

    def latest(self, network_id: int) -> Settings | None:
        """What the nodes of a network are told now, None where it was never written down.

        So where its row was damaged, and is to be written anew.
        """
        ...

    def next_number(self, network_id: int) -> int:
        """The number of what they are told next, from 0.

        Raises:
            StateError: the last number was damaged, so that none is next.
        """
        ...

    def since(self, network_id: int, number: int) -> Sequence[Settings]:
        """What they were told from a number on, in order.

        Where some of it is not known, it begins after that.
        """
        ...

    def add_settings(self, network_id: int, settings: Settings) -> None:
        """Write what they are told from now on."""
        ...

    # Whom to tell

    def lacking_settings(self, limit: int) -> Sequence[int]:
        """Nodes with other settings than the latest, that nobody is about to tell."""
        ...

    def lacking_lease(
        self, network_id: int, domain_id: int, ends_ms: tuple[int, int] | None, limit: int
    ) -> Sequence[int]:
        """Nodes of a network whose lease does not end in ``ends_ms``, that nobody will tell.

        None stands for leases without an end.
        """
        ...

    def schedule(self, pledge_ids: Collection[int], at_ms: int) -> None:
        """Let nodes be told at a time, as if they had never been tried."""
        ...

    def due(
        self, now_ms: int, limit: int, but: Collection[int], full: Collection[int]
    ) -> Sequence[DuePush]:
        """Nodes to be told now, longest due first.

        Without the pledges ``but`` and the 6LNs of networks that are ``full``.
        """
        ...

    def next_due_ms(self) -> int | None:
        """When the next node is to be told."""
        ...

    def take_up(self, after_ms: int) -> None:
        """Let nodes be told at once whose exchange was given so long, and ended with a process."""
        ...

    # How it goes

    def find(self, pledge_ids: Collection[int]) -> Mapping[int, NodeUpdate]:
        """How it goes with each of these pledges."""
        ...

    def save(self, updates: Iterable[NodeUpdate]) -> None:
        """Write how it goes, whether there was a row before or not."""
        ...

    def forget(self, pledge_id: int) -> None:
        """Of a pledge that is removed nothing is left to be told."""
        ...

    def set_place_numbers(self, numbers: Mapping[int, int]) -> None:
        """Write which settings nodes have, by pledge.

        Whoever calls this writes their contexts' states as well, or changes the policy: a join may
        remember the former number.
        """
        ...

    def set_sleep(self, pledge_id: int, sleep_s: int | None) -> None:
        """How long a node may sleep at a time; None is awake. As for ``set_place_numbers``."""
        ...

    # Listing

    def nodes(
        self, *, after: bytes | None, limit: int, network_id: int | None = None
    ) -> Sequence[NodeRow]:
        """Who has joined and is not put out, in the order of their identifiers."""
        ...

    def node(self, identifier: bytes) -> NodeRow | None:
        """One of them."""
        ...
