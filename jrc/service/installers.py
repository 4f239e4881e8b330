"""When an installer is run, with which keys, and what is remembered of it.

An installer puts link-layer keys into the radio of a 6LBR that is no CoJP node. It is run when the
registrar starts and at each change of its network's keys, and again and again, ever more seldom,
while it fails. Joins do not wait for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from jrc.errors import OperatorError
from jrc.model import Event, KeySetState, Network
from jrc.policy.keys import KeySet
from jrc.service.condition import closed_sentence, is_open
from jrc.service.key_document import InstallReason, WantedKeys, key_document, shown_line
from jrc.service.ports import KeyInstaller
from jrc.service.records import InstallationRecord
from jrc.service.registry import Registry
from jrc.service.wording import nearest, utc_text

ACTOR = "jrc"
"""Who runs an installer that nobody has asked for, in the audit log."""


GIVEN_UP: Final = "it is waited for no more, by an operator's word"
"""The error of one on another host, until it has run again."""


class InstallerId(NamedTuple):
    """An installer of a network; ``name`` tells those of one network apart."""

    network: str
    name: str

    def __str__(self) -> str:
        return f"{self.network}/{self.name}"


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds after a first failure in which it is tried again, and the most that these become."""

    retry_s: float
    retry_max_s: float


@dataclass(frozen=True, slots=True)
class Progress:
    """What a process knows of its own runs of one installer; times are monotonic seconds."""

    installed: WantedKeys | None = None
    tried: WantedKeys | None = None
    failures: int = 0
    again_at_s: float = 0.0

    def wait_s(self, wanted: WantedKeys, now_s: float) -> float | None:
        """Seconds until ``wanted`` is to be put in: 0 for now, None if it is in already.

        Keys that were not tried yet do not wait for those that failed.
        """
        if wanted == self.installed and not self.failures:
            return None
        if wanted != self.tried:
            return 0.0
        return max(0.0, self.again_at_s - now_s)

    def reason(self) -> InstallReason:
        """Why the installer is run when nobody has asked for it."""
        return InstallReason.START if self.installed is None else InstallReason.CHANGE

    def after(self, wanted: WantedKeys, *, installed: bool, now_s: float, pace: Pace) -> "Progress":
        """What is known after a run."""
        if installed:
            return Progress(installed=wanted, tried=wanted)
        failures = self.failures + 1 if wanted == self.tried else 1
        return Progress(self.installed, wanted, failures, now_s + retry_in_s(failures, pace))


def retry_in_s(failures: int, pace: Pace) -> float:
    """Seconds to wait after so many failures in a row: twice as long each time, up to the most."""
    doublings = min(failures - 1, 64)
    return float(min(pace.retry_max_s, pace.retry_s * 2**doublings))


# What is to be put in


def wanted_keys(tx: Registry, network_name: str, *, with_nodes: bool = False) -> WantedKeys | None:
    """What the radios of a network are to have; None where it, or its keys, are not there.

    Nor is there anything while the database is quarantined: others may have newer keys (row E9).

    Raises:
        StateError: a row does not authenticate.
    """
    network = tx.networks.by_name(network_name)
    if network is None or not is_open(tx):
        return None
    key_sets = tuple(tx.keysets.live(network.domain_id))
    generation = _in_force(key_sets)
    if generation is None:
        return None
    return WantedKeys(
        network=network.name,
        network_id=network.id,
        identifiers=network.identifiers,
        generation=generation,
        key_sets=key_sets,
        nodes=tuple(tx.pledges.nodes(network.id, network.domain_id)) if with_nodes else None,
    )


def _in_force(key_sets: tuple[KeySet, ...]) -> int | None:
    for key_set in key_sets:
        if key_set.state is KeySetState.CURRENT:
            return key_set.generation
    return None


def unknown_network(tx: Registry, name: str) -> OperatorError | None:
    """What to say where an installer has to wait, None where it needs not."""
    if not is_open(tx):
        return OperatorError(closed_sentence(tx.database) or "")
    known = [network.name for network in tx.networks.all().values()]
    return None if name in known else _unknown("", name, known)


def check_known(known: Sequence[str], named: Mapping[str, str]) -> None:
    """Nothing, if every network that the config file names, by key, is one that is ``known``.

    Raises:
        OperatorError: naming the key and the network.
    """
    for key, name in named.items():
        if name not in known:
            raise _unknown(f"{key}: ", name, known)


def _unknown(where: str, name: str, known: Sequence[str]) -> OperatorError:
    return OperatorError(
        f"{where}there is no network {name!r}{nearest(name, known)}",
        "add it with `jrc network add`, or take it out of the config file",
    )


def none_configured(network: str) -> OperatorError:
    """What to say where a network has no installer."""
    return OperatorError(
        f"no installer is configured for network {network}",
        "add an [[installer]] section to the config file; docs/border-router.md tells how",
    )


# What is remembered


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallationReport:
    """What an installer has done, as listings show it; ``failures`` in a row, times in UTC."""

    installer: str
    installed: bool
    generation: int | None
    installed_at: str | None
    tried_at: str | None
    failures: int
    error: str | None


async def attempt(program: KeyInstaller, wanted: WantedKeys, why: InstallReason) -> str | None:
    """Put keys in; why that failed, in a line without keys, None where it did not."""
    outcome = await program.install(wanted.network, key_document(wanted, why))
    if outcome.installed:
        return None
    said = shown_line(outcome.said, wanted.values)
    return f"{outcome.how}: {said}" if said else outcome.how


def record_outcome(
    tx: Registry,
    installer: InstallerId,
    wanted: WantedKeys,
    error: str | None,
    *,
    why: InstallReason,
    actor: str = ACTOR,
    reason: str = "",
) -> InstallationRecord:
    """Remember a run. The audit log hears of changes, and of each run that a person asked for."""
    before = record_of(tx, wanted.network_id, installer.name)
    after = replace(before, tried_at_ms=tx.now_ms, error=error)
    if error is None:
        after = replace(after, generation=wanted.generation, installed_at_ms=tx.now_ms, failures=0)
    else:
        after = replace(after, failures=before.failures + 1)
    tx.installations.save(after)
    if why is InstallReason.COMMAND or _has_turned(before, after):
        kind = "installer.installed" if error is None else "installer.failed"
        detail: dict[str, object] = {"installer": installer.name, "generation": wanted.generation}
        if error is not None:
            detail["error"] = error
        tx.record(Event(kind, actor, network=installer.network, reason=reason, detail=detail))
    return after


def record_of(tx: Registry, network_id: int, name: str) -> InstallationRecord:
    """What is remembered of an installer; a new record where nothing is."""
    for record in tx.installations.of(network_id):
        if record.installer == name:
            return record
    return InstallationRecord(network_id=network_id, installer=name)


def _has_turned(before: InstallationRecord, after: InstallationRecord) -> bool:
    """Whether it failed for the first time, or worked again, or has put newer keys in."""
    if before.version == 0 or (before.error is None) != (after.error is None):
        return True
    return before.generation != after.generation


def installations_of(tx: Registry, network: Network) -> tuple[InstallationReport, ...]:
    """What the installers of a network have done."""
    return tuple(map(installation_report, tx.installations.of(network.id)))


def installation_report(record: InstallationRecord) -> InstallationReport:
    """A record as people and programs read it."""
    return InstallationReport(
        installer=record.installer,
        installed=record.error is None,
        generation=record.generation,
        installed_at=utc_text(record.installed_at_ms),
        tried_at=utc_text(record.tried_at_ms),
        failures=record.failures,
        error=record.error,
    )
