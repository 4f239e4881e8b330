"""What of all that had left a daemon is on a disk after a power cut, as the program reads it."""

import random
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from jrc.clock import SystemClock
from jrc.cojp import envelope, message
from jrc.config import Settings, load
from jrc.errors import JrcError
from jrc.model import Condition, PledgeState
from jrc.opened import Opened
from jrc.service.event_chain import event_hash
from jrc.service.join_ports import KnownContext
from tests.at_home import at_home
from tests.faults.commands import Done
from tests.faults.peers import Peers
from tests.faults.replayed import Kind, Left
from tests.faults.witness import Witness


@dataclass(slots=True)
class Said:
    """What had left by some moment; pledges by identifier, ciphertexts by number."""

    answered: dict[bytes, dict[int, bytes]] = field(default_factory=dict)
    told: dict[bytes, int] = field(default_factory=dict)
    imported: set[bytes] = field(default_factory=set)
    revoked: set[bytes] = field(default_factory=set)
    asked_to_revoke: frozenset[bytes] = frozenset()
    """In all of the storm, acknowledged or not."""
    numbers: Mapping[tuple[bytes, bytes], int] = field(default_factory=dict)
    """Of all requests of the storm, by pledge and digest."""


class Follower:
    """Turns what a trace shows into what others know, with the help of the witness."""

    def __init__(
        self, peers: Peers, witness: Witness, commands: Sequence[Done], imported: Iterable[bytes]
    ) -> None:
        self.said = Said(
            imported=set(imported),
            asked_to_revoke=frozenset(peer.identifier for peer in peers if peer.gone),
            numbers=dict(_numbers(peers)),
        )
        self.short_ids = dict(witness.held)
        self._answers = {text: request for request, text in witness.answers.items()}
        self._updates = {text: number for number, text in witness.spoken.items()}
        self._commands = iter(commands)

    def follow(self, left: Left) -> None:
        """Something has left."""
        if left.kind is Kind.ACKNOWLEDGEMENT:
            done = next(self._commands, Done())
            self.said.imported.update(done.imported)
            self.said.revoked.update(done.revoked)
        elif left.kind is Kind.ANSWER and left.data in self._answers:
            pledge, number = self._answers[left.data]
            self.said.answered.setdefault(pledge, {})[number] = left.data
        elif left.data in self._updates:
            pledge, number = self._updates[left.data]
            self.said.told[pledge] = max(number, self.said.told.get(pledge, 0))


def _numbers(peers: Peers) -> Iterator[tuple[tuple[bytes, bytes], int]]:
    for peer in peers:
        for number, request in enumerate(peer.requests):
            opened = envelope.open_request(message.encode(request), len(request.token))
            yield (peer.identifier, envelope.digest(opened)), number


def put(files: Mapping[str, bytes], folder: Path) -> None:
    """Make ``folder`` hold these files, private as the program wants them, and no others."""
    for path in folder.iterdir():
        if path.is_file() and path.name not in files:
            path.unlink()
    for name, data in files.items():
        path = folder / name
        path.write_bytes(data)
        path.chmod(0o600)
    at_home(folder)


def settings_of(folder: Path) -> Settings:
    """Those of a site."""
    return load(folder / "config.toml")


def look(settings: Settings, said: Said, short_ids: Mapping[bytes, bytes]) -> list[str]:
    """What is wrong with the database and instance file that ``settings`` name; mostly nothing."""
    try:
        opened = Opened.open(settings, SystemClock())
    except (JrcError, sqlite3.Error) as error:
        return [f"the database can't be opened: {error}"]
    with closing(opened):
        if opened.database.instance.condition != Condition.OPEN:
            return [f"quarantined: {opened.database.instance.condition_detail}"]
        faults = _contexts(opened, said, short_ids)
        return faults + _chain(opened, settings)


def _contexts(opened: Opened, said: Said, short_ids: Mapping[bytes, bytes]) -> list[str]:
    names = sorted(said.imported | said.answered.keys())
    found: dict[bytes, list[KnownContext]] = {}
    for start in range(0, len(names), 64):
        found |= opened.lookup.find_many(names[start : start + 64])
    faults: list[str] = []
    for name in names:
        if name in said.revoked:
            if any(each.pledge.state is not PledgeState.REVOKED for each in found.get(name, [])):
                faults.append(f"{name.hex()} was revoked, and is in force")
        elif name not in found:
            faults.append(f"{name.hex()} was imported, and is not there")
        else:
            faults += _context(opened, name, found[name][0], said, short_ids)
    return faults


def _context(
    opened: Opened, name: bytes, known: KnownContext, said: Said, short_ids: Mapping[bytes, bytes]
) -> list[str]:
    answered, window = said.answered.get(name, {}), known.state.window
    text = name.hex()
    faults = [
        f"{text} number {number} was answered, and would be taken for new"
        for number in answered
        if window.is_fresh(number)
    ]
    if known.pledge.state is PledgeState.REVOKED:
        # Committed, and not yet acknowledged: no copy is answered any more.
        asked = name in said.asked_to_revoke
        return faults if asked else [*faults, f"{text} is revoked, and nobody has asked for it"]
    stored = opened.lookup.stored_answer(known.context_id)
    if stored is not None and stored.state.request_digest is not None:
        # A request that came late has a lower number than the highest.
        number = said.numbers[name, stored.state.request_digest]
        if answered.get(number, stored.state.answer) != stored.state.answer:
            faults.append(f"{text} number {number} would get a second ciphertext")
    if answered and name in short_ids:
        held = {lease.value.to_bytes(2) for lease in known.standing.leases}
        if short_ids[name] not in held:
            faults.append(f"{text} was given {short_ids[name].hex()}, and has {held}")
    if said.told.get(name, -1) >= known.state.numbers_reserved:
        faults.append(f"{text} was told something under a number that is not reserved")
    return faults


def _chain(opened: Opened, settings: Settings) -> list[str]:
    """The audit log's hashes, reckoned without the program's own way of proving them."""
    instance = opened.database.instance
    path = settings.database.url.removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT * FROM event ORDER BY number").fetchall()
    head, number = instance.event_floor_hash, instance.event_floor
    for *fields, stored in rows:
        head, number = event_hash(head, tuple(fields)), number + 1
        if stored != head or fields[0] != number:
            return [f"event {number} does not follow from those before it"]
    if (head, number) != (instance.event_hash, instance.event_number):
        return ["the audit log ends before its head"]
    return []


@dataclass(slots=True)
class Tally:
    """Crash states that were looked at, and what was wrong with some of them."""

    states: int = 0
    faulty: int = 0
    started: int = 0
    examples: list[str] = field(default_factory=list)

    def count(self, faults: Sequence[str]) -> None:
        """One more state."""
        self.states += 1
        self.faulty += bool(faults)
        if faults and len(self.examples) < 5:
            self.examples.append(f"state {self.states}: {faults[0]}")


def moments(lines: int, states: int, chance: random.Random) -> list[int]:
    """Lines of a trace after which power fails, in order."""
    return sorted(chance.choices(range(1, lines + 1), k=states))


def witness_of(said: Said, witness: Witness) -> Witness:
    """One that knows what had left, and nothing of what came later."""
    answers = {
        (pledge, number): text
        for pledge, given in said.answered.items()
        for number, text in given.items()
    }
    held = {name: short_id for name, short_id in witness.held.items() if name in said.answered}
    known = replace(
        Witness(),
        answers=answers,
        highest={pledge: max(given) for pledge, given in said.answered.items()},
        held=held,
        imported=set(said.imported),
    )
    known.revoked.update(dict.fromkeys(said.revoked, 0))
    return known
