"""A network with joined nodes for the commands of rollovers, and what its nodes have answered."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy import insert

from jrc.cojp.constants import Role
from jrc.config import load
from jrc.model import PledgeId, Secret
from jrc.policy.rollover import NodeState
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge
from jrc.service.registry import Registry
from jrc.service.rollover import advance
from jrc.store.database import Database
from jrc.store.keyfile import read_key
from jrc.store.registry import StoreRegistry
from jrc.store.schema import node
from jrc.store.transaction import Transaction
from tests.cli.terminal import PREFIX, Terminal

T = TypeVar("T")
LATER_MS = int(time.time() * 1000)
"""Not after the time at which a daemon is started: it would send nothing."""
NOW_MS = LATER_MS - 90_000


def node_id(number: int) -> str:
    """The identifier of a node, in hex."""
    return f"00124b00{number:08x}"


@contextmanager
def database_of(terminal: Terminal) -> Iterator[Database]:
    """A registrar's database while no command uses it."""
    settings = load(terminal.config)
    assert settings.keys.kek_file is not None
    with closing(Database.open(settings.database.url, read_key(settings.keys.kek_file))) as opened:
        yield opened


def change(terminal: Terminal, work: Callable[[Registry], T]) -> T:
    """``work``'s result from a transaction beside all commands."""
    with database_of(terminal) as database:
        return database.write(lambda tx: work(StoreRegistry(tx)), LATER_MS)


def add_network(terminal: Terminal, name: str = "lab", *more: str) -> None:
    """A network without nodes."""
    prefix = f"2001:db8:{name.encode()[:2].hex()}::/64" if name != "lab" else PREFIX
    words = ("--network-id", name.encode().hex(), "--prefix", prefix, *more)
    assert terminal.jrc("network", "add", name, *words).code == 0


def registrar(folder: Path, nodes: int, *, routers: int = 0, config: str = "") -> Terminal:
    """A registrar with a network of so many nodes; ``config`` goes below its config file."""
    made = Terminal(folder)
    made.init()
    made.config.write_text(made.config.read_text() + config)
    add_network(made)
    if nodes:
        add_nodes(made, nodes, routers=routers)
    return made


def add_nodes(
    terminal: Terminal, count: int, *, routers: int = 0, sleep_s: int | None = None
) -> None:
    """6LNs 1 to ``count`` of the first network, the last ``routers`` of them 6LBRs."""

    def enroll(tx: Registry) -> None:
        for number in range(1, count + 1):
            identifier = PledgeId(bytes.fromhex(node_id(number)))
            keys = Secret(os.urandom(16))
            add_pledge(tx, Applicant(identifier=identifier, keys=keys), actor="test")

    change(terminal, enroll)
    join_nodes(terminal, count, routers=routers, sleep_s=sleep_s)


def join_nodes(
    terminal: Terminal, count: int, *, routers: int = 0, sleep_s: int | None = None
) -> None:
    """Pledges 1 to ``count`` have joined the first network, the last ``routers`` as 6LBRs."""

    def join(tx: Transaction) -> None:
        rows = [
            {
                "pledge_id": number,
                "network_id": 1,
                "role": (Role.LBR if number > count - routers else Role.NODE).value,
                "generation_id": 1,
                "first_joined_at_ms": NOW_MS,
                "address": None,
                "settings_number": 0,
                "sleep_s": sleep_s,
            }
            for number in range(1, count + 1)
        ]
        tx.connection.execute(insert(node), rows)

    with database_of(terminal) as database:
        database.write(join, NOW_MS)


def answer(terminal: Terminal, states: Mapping[int, NodeState], error: str | None = None) -> None:
    """The nodes of these numbers are so far in the last rollover, after one attempt each."""

    def work(tx: Registry) -> None:
        (record,) = tx.rollovers.latest(1)
        found = tx.rollovers.find(record.id, list(states))
        tx.rollovers.save_nodes(
            [
                found[number]._replace(
                    state=state,
                    attempts=1,
                    last_error=None if state is NodeState.REACHED else error,
                    sent_at_ms=NOW_MS,
                    reached_at_ms=LATER_MS if state is NodeState.REACHED else None,
                    tried_at_ms=LATER_MS,
                    next_at_ms=None,
                )
                for number, state in states.items()
            ]
        )

    change(terminal, work)


def go_on(terminal: Terminal, *, deadline_passed: bool = False) -> None:
    """What the daemon does when it looks."""

    def work(tx: Registry) -> None:
        (record,) = tx.rollovers.latest(1)
        advance(tx, record.id, deadline_passed=deadline_passed)

    change(terminal, work)
