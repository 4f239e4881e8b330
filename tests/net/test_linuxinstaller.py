"""Keys in a Linux interface: what a played kernel is asked, in which order, what may fail."""

import asyncio
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jrc.errors import OperatorError
from jrc.model import Secret
from jrc.net import linuxinstaller
from jrc.net.framecounter import CounterFile, Seen
from jrc.net.linuxinstaller import LinuxInstaller, PrivilegeError, check
from jrc.net.runlock import RunLock
from jrc.policy.interface import Interface as Found
from jrc.policy.interface import InterfaceKind
from jrc.service.ports import InstallOutcome
from tests.net.wpan import (
    ADD_DEV,
    ADD_KEY,
    ADD_SECLEVEL,
    DEL_DEV,
    DEL_KEY,
    DEL_SECLEVEL,
    FRAME_COUNTER,
    GETPARAMS,
    LIST_KEY,
    SETPARAMS,
    Device,
    Interface,
    PlayedKernel,
)

NOW_S = 1_796_000_000
INSTALLED = InstallOutcome(installed=True)
OLD, NEW, THIRD = (bytes([number]) * 16 for number in (0xA1, 0xB2, 0xC3))
NODE = bytes.fromhex("00124b0014b5b67e")
OTHER = bytes.fromhex("00124b0014b5b600")
COMMANDS = {
    ADD_DEV: "add node", DEL_DEV: "remove node", ADD_KEY: "add key", DEL_KEY: "remove key",
    ADD_SECLEVEL: "add level", DEL_SECLEVEL: "remove level", SETPARAMS: "send",
}  # fmt: skip


def key(key_id: int, value: bytes, state: str = "current", usage: int = 0) -> dict[str, Any]:
    """A key as the document has it."""
    named = {"key_id": key_id, "key_usage": usage, "state": state, "generation": key_id}
    return {**named, "mic_length": 4, "addinfo": None, "value": value.hex()}


def document(
    *keys: dict[str, Any], nodes: tuple[bytes, ...] = (NODE,), first: int = 0x10
) -> Secret:
    """Keys in force first; nodes have short addresses from ``first`` on."""
    told = [{"eui64": each.hex(), "short_id": f"{first + n:04x}"} for n, each in enumerate(nodes)]
    shown = {"format": 1, "generation": keys[0]["generation"], "keys": list(keys), "nodes": told}
    return Secret(json.dumps(shown).encode())


BEFORE = document(key(1, OLD))
DURING = document(key(2, NEW), key(1, OLD, "previous"))
AFTER = document(key(2, NEW))


class Bench:
    """An installer and the kernel that it works on."""

    def __init__(self, folder: Path, kernel: PlayedKernel, *, timeout_s: float = 10.0) -> None:
        self.kernel = kernel
        self.now_s = NOW_S
        self.memory = CounterFile(folder / "wpan0.counter")
        self.lock = folder / "wpan0.lock"
        self.installer = LinuxInstaller(
            "wpan0",
            timeout_s,
            self.lock,
            self.memory,
            now_s=lambda: self.now_s,
            open_socket=kernel.open_socket,
        )

    def install(self, told: Secret) -> InstallOutcome:
        """How a run ends; what was asked before is forgotten."""
        self.kernel.requests.clear()
        return asyncio.run(self.installer.install("lab", told))

    def keeps(self) -> bool:
        return asyncio.run(self.installer.keeps())

    @property
    def steps(self) -> list[str]:
        """What the last run has changed."""
        return [COMMANDS[command] for command in self.kernel.changes]

    @property
    def held(self) -> dict[int, bytes]:
        return {index: value for (_, index, _), (_, value) in self.kernel.wpan.keys.items()}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, PlayedKernel())


def test_the_first_run_sends_only_when_all_that_it_takes_to_receive_is_there(bench: Bench) -> None:
    """Devices, levels, keys, and then the parameters."""
    assert bench.install(BEFORE) == INSTALLED
    assert bench.steps == ["add node", "add level", "add level", "add key", "send"]
    wpan = bench.kernel.wpan
    assert (wpan.enabled, wpan.out_key, wpan.out_level) == (1, (1, 1), 5)
    assert wpan.keys == {(1, 1, 0): (3, OLD)}
    assert wpan.levels == [(0, 1 << 1), (1, 1 << 5)]
    assert wpan.devices == {NODE: Device(0xCAFE, 0x10, 0)}


def test_a_run_that_finds_everything_there_changes_nothing(bench: Bench) -> None:
    """As after a restart of the daemon: the frame counter goes on."""
    bench.install(BEFORE)
    bench.kernel.wpan.frame_counter = 77
    assert bench.install(BEFORE) == INSTALLED
    assert bench.steps == []
    assert bench.kernel.wpan.frame_counter == 77


def test_old_keys_stay_until_they_are_retired(bench: Bench) -> None:
    """RFC 9031 §8.4.3.1: new ones are added, then sent with; the old ones go last, or later."""
    bench.install(BEFORE)
    assert bench.install(DURING) == INSTALLED
    assert bench.steps == ["add key", "send"]
    assert (bench.held, bench.kernel.wpan.out_key) == ({1: OLD, 2: NEW}, (1, 2))
    assert bench.install(AFTER) == INSTALLED
    assert bench.steps == ["remove key"]
    assert bench.held == {2: NEW}


def test_keys_that_are_to_come_are_received_with_and_not_sent_with(bench: Bench) -> None:
    """Nodes that were told may use them before this radio does."""
    bench.install(document(key(1, OLD), key(2, NEW, "scheduled")))
    assert (bench.held, bench.kernel.wpan.out_key) == ({1: OLD, 2: NEW}, (1, 1))


def test_the_key_that_is_sent_with_goes_only_after_the_switch(bench: Bench) -> None:
    """No moment without a key to send with, even where a whole rollover was missed."""
    bench.install(BEFORE)

    def look(_message: object) -> None:
        wpan = bench.kernel.wpan
        assert (*wpan.out_key, 0) in wpan.keys

    bench.kernel.before = look
    assert bench.install(document(key(3, THIRD))) == INSTALLED
    assert bench.steps == ["add key", "send", "remove key"]


def test_another_usage_takes_both_levels_and_then_the_new_one_alone(bench: Bench) -> None:
    """One entry a frame type, the new one before the old one goes: Linux looks at the first."""
    bench.install(BEFORE)
    bench.install(document(key(2, NEW, usage=1), key(1, OLD, "previous")))
    assert bench.steps[:4] == ["add level", "add level", "remove level", "remove level"]
    assert bench.kernel.wpan.levels == [(0, 1 << 1 | 1 << 2), (1, 1 << 5 | 1 << 6)]
    bench.install(document(key(2, NEW, usage=1)))
    assert bench.kernel.wpan.levels == [(0, 1 << 2), (1, 1 << 6)]


def test_what_others_have_put_in_under_an_index_or_for_other_frames_goes(bench: Bench) -> None:
    """Else the kernel would say EEXIST for ever; the tables are the installer's alone."""
    bench.kernel.wpan.keys = {(1, 1, 0): (3, NEW), (1, 9, 0): (2, OLD), (1, 200, 0): (3, THIRD)}
    assert bench.install(BEFORE) == INSTALLED
    assert bench.held == {1: OLD}


# Nodes


def test_nodes_come_and_go_and_keep_their_frame_counter(bench: Bench) -> None:
    """A counter that began anew would let frames be replayed."""
    bench.install(BEFORE)
    bench.kernel.wpan.devices[NODE] = Device(0xCAFE, 0x10, 500)
    bench.install(document(key(1, OLD), nodes=(NODE, OTHER)))
    assert bench.steps == ["add node"]
    bench.install(document(key(1, OLD), nodes=(OTHER, NODE)))
    assert bench.kernel.wpan.devices == {
        OTHER: Device(0xCAFE, 0x10, 0),
        NODE: Device(0xCAFE, 0x11, 500),
    }
    bench.install(document(key(1, OLD), nodes=(OTHER,)))
    assert bench.steps == ["remove node"]
    assert bench.kernel.wpan.devices == {OTHER: Device(0xCAFE, 0x10, 0)}


def test_nodes_beyond_what_the_kernel_lists_are_put_in_all_the_same(bench: Bench) -> None:
    """It tells a long table from its beginning again and again."""
    many = tuple(number.to_bytes(8) for number in range(1, 8))
    assert bench.install(document(key(1, OLD), nodes=many)) == INSTALLED
    assert bench.install(document(key(1, OLD), nodes=many, first=0x40)) == INSTALLED
    shorts = {eui64: each.short for eui64, each in bench.kernel.wpan.devices.items()}
    assert shorts == {eui64: 0x40 + n for n, eui64 in enumerate(many)}


def test_nodes_beyond_what_the_kernel_lists_are_not_put_in_at_each_run(bench: Bench) -> None:
    """They keep their frame counters, too, and go when they are to go."""
    many = tuple(number.to_bytes(8) for number in range(1, 8))
    bench.install(document(key(1, OLD), nodes=many))
    for eui64, each in bench.kernel.wpan.devices.items():
        bench.kernel.wpan.devices[eui64] = each._replace(frame_counter=99)
    bench.install(document(key(1, OLD), nodes=(*many, NODE)))
    assert bench.steps == ["add node"]
    assert bench.install(document(key(1, OLD), nodes=many[:1])) == INSTALLED
    assert bench.kernel.wpan.devices == {many[0]: Device(0xCAFE, 0x10, 99)}


def test_short_addresses_may_change_hands_beyond_what_the_kernel_lists(bench: Bench) -> None:
    """All that go, go before any comes: the kernel has no short address twice."""
    many = tuple(number.to_bytes(8) for number in range(1, 8))
    bench.install(document(key(1, OLD), nodes=many))
    turned = (*many[1:], many[0])
    assert bench.install(document(key(1, OLD), nodes=turned)) == INSTALLED
    shorts = {eui64: each.short for eui64, each in bench.kernel.wpan.devices.items()}
    assert shorts == {eui64: 0x10 + n for n, eui64 in enumerate(turned)}


def test_all_nodes_are_put_into_an_interface_that_was_made_anew(bench: Bench) -> None:
    """What was known of the one before does not count."""
    many = tuple(number.to_bytes(8) for number in range(1, 8))
    bench.install(document(key(1, OLD), nodes=many))
    restart(bench)
    assert bench.install(document(key(1, OLD), nodes=many)) == INSTALLED
    assert bench.kernel.wpan.devices.keys() == set(many)


def test_another_pan_id_gives_every_device_anew(bench: Bench) -> None:
    """Linux knows a short address in its PAN alone."""
    bench.install(BEFORE)
    bench.kernel.wpan.pan_id = 0xBEEF
    assert bench.install(BEFORE) == INSTALLED
    assert bench.kernel.wpan.devices == {NODE: Device(0xBEEF, 0x10, 0)}


# The frame counter


def restart(bench: Bench) -> None:
    """The host starts again, or the radio is plugged in again."""
    bench.kernel.interfaces["wpan0"] = Interface()


def test_e07_an_interface_that_was_made_anew_begins_above_what_it_can_have_sent(
    bench: Bench,
) -> None:
    """IEEE 802.15.4: key, EUI-64 and frame counter are the nonce."""
    bench.install(BEFORE)
    bench.kernel.wpan.frame_counter = 900
    bench.now_s += 3600
    assert bench.keeps()
    restart(bench)
    bench.now_s += 10
    assert not bench.keeps()
    assert bench.install(BEFORE) == INSTALLED
    assert bench.kernel.wpan.frame_counter == 900 + 11 * 1000
    (sent,) = [each for each in bench.kernel.requests if each.command == SETPARAMS]
    assert FRAME_COUNTER in sent.attributes, "with the key, in one message"


def test_what_is_begun_with_is_on_disk_before_it_is_sent_with(bench: Bench) -> None:
    """A crash between the two costs numbers and no nonce."""
    bench.install(BEFORE)
    restart(bench)
    seen: list[Seen | None] = []

    def look(message: Any) -> None:
        if message.command == SETPARAMS:
            seen.append(bench.memory.read())

    bench.kernel.before = look
    bench.install(BEFORE)
    assert seen == [Seen(1000, NOW_S, 1)]


def test_e07_without_a_good_number_the_same_keys_are_refused_and_new_ones_are_not(
    bench: Bench,
) -> None:
    """Row E7: what has begun anew gets keys that were never used."""
    bench.install(BEFORE)
    restart(bench)
    bench.now_s -= 1
    outcome = bench.install(BEFORE)
    assert not outcome.installed
    assert outcome.how == (
        "wpan0 counts its frames anew, and the clock is behind the last look at its frame counter:"
        " with the same keys it would repeat nonces; see that the clock is right; if it is, give"
        " the network new keys with `jrc rollover start`"
    )
    assert not bench.kernel.wpan.enabled
    assert bench.install(DURING) == INSTALLED
    assert bench.kernel.wpan.out_key == (1, 2)


def test_a_damaged_memory_keeps_the_radio_silent(bench: Bench) -> None:
    """Whether the interface is new is not known any more."""
    bench.install(BEFORE)
    bench.memory.path.write_text("?")
    outcome = bench.install(DURING)
    assert "is damaged" in outcome.how
    assert bench.kernel.wpan.out_key == (1, 1)
    assert not bench.keeps()


def test_a_look_now_and_then_remembers_how_far_the_counter_is(bench: Bench) -> None:
    """Seldom, for a disk's sake."""
    bench.install(BEFORE)
    bench.kernel.wpan.frame_counter = 50
    bench.now_s += 599
    assert bench.keeps()
    assert bench.memory.read() == Seen(0, NOW_S, 1)
    bench.now_s += 1
    assert bench.keeps()
    assert bench.memory.read() == Seen(50, NOW_S + 600, 1)


def test_a_radio_that_was_never_set_or_is_gone_keeps_nothing(bench: Bench) -> None:
    """So it is put in again, and that says what is wrong."""
    assert not bench.keeps()
    bench.install(BEFORE)
    assert bench.keeps()
    bench.kernel.interfaces.clear()
    assert not bench.keeps()


# What may fail


def broken(bench: Bench, prepare: Callable[[PlayedKernel], None]) -> str:
    """How a run over a kernel that is not as it should be ends."""
    prepare(bench.kernel)
    outcome = bench.install(BEFORE)
    assert (outcome.installed, outcome.said) == (False, b"")
    return outcome.how


def attributes(**named: object) -> Callable[[PlayedKernel], None]:
    def prepare(kernel: PlayedKernel) -> None:
        for name, value in named.items():
            assert hasattr(kernel, name)
            setattr(kernel, name, value)

    return prepare


@pytest.mark.parametrize(
    ("named", "how"),
    [
        ({"may_administer": False}, "this process may not set link-layer keys (CAP_NET_ADMIN); "),
        ({"is_strict": True}, "this kernel refuses every link-layer key, which is an error of"),
        ({"has_llsec": False}, "the driver of wpan0 has no link-layer security that Linux can"),
        ({"fails": {ADD_KEY: errno.EEXIST}},
         "wpan0: the kernel refuses to add key 1 (File exists)"),
        ({"fails": {ADD_SECLEVEL: errno.EINVAL}},
         "wpan0: the kernel refuses to add the security levels of frame type 0 (Invalid argument)"),
        ({"fails": {GETPARAMS: errno.EOPNOTSUPP}},
         "wpan0: the kernel refuses to read its parameters (Operation not supported)"),
        ({"fails": {LIST_KEY: errno.EPERM}},
         "wpan0: the kernel refuses to list its keys (Operation not permitted)"),
        ({"fails": {SETPARAMS: errno.ENODEV}},
         "wpan0: the kernel refuses to send with key 1 (No such device)"),
        ({"fails": {ADD_DEV: errno.ENOMEM}},
         "wpan0: the kernel refuses to add node 00124b0014b5b67e (Cannot allocate memory)"),
    ],
)  # fmt: skip
def test_each_refusal_has_one_sentence(bench: Bench, named: dict[str, Any], how: str) -> None:
    """What was asked and what the kernel said; never a key."""
    found = broken(bench, attributes(**named))
    assert found.startswith(how)
    assert "\n" not in found
    for value in (OLD, NEW):
        assert value.hex() not in found


def test_an_old_kernel_is_named_with_those_that_are_good(bench: Bench) -> None:
    """It refuses a key's bytes before it looks at them (mended in 2026)."""
    found = broken(bench, attributes(is_strict=True))
    assert "Debian's are good from 6.1.180-1 and 6.12.100-1" in found
    assert bench.steps == []


def test_a_run_that_failed_halfway_is_mended_by_the_next(bench: Bench) -> None:
    """Wherever it stopped."""
    for command in (ADD_DEV, ADD_SECLEVEL, ADD_KEY, SETPARAMS):
        bench.kernel.fails = {command: errno.ENOBUFS}
        assert not bench.install(BEFORE).installed
    bench.kernel.fails = {}
    assert bench.install(BEFORE) == INSTALLED
    assert (bench.held, bench.kernel.wpan.enabled) == ({1: OLD}, 1)


def test_a_kernel_that_is_silent_does_not_hold_the_run_up(tmp_path: Path) -> None:
    """The time of the settings, whatever it was asked."""
    for command in (LIST_KEY, ADD_KEY):
        bench = Bench(tmp_path, PlayedKernel(), timeout_s=0.05)
        bench.kernel.silent_at = command
        assert bench.install(BEFORE) == InstallOutcome(False, "took longer than 0.05 s")
        assert bench.install(BEFORE) == InstallOutcome(False, "took longer than 0.05 s")


def test_a_document_that_linux_can_not_have_is_a_failure(bench: Bench) -> None:
    """Before anything is asked of the kernel."""
    outcome = bench.install(document({**key(1, OLD), "addinfo": "01020304"}))
    assert outcome.how.startswith("key 1 is named by a key source as well")
    assert bench.kernel.requests == []


def test_two_runs_are_never_at_once(bench: Bench) -> None:
    """Not even of two processes: the lock is a file's."""
    held = RunLock.take(bench.lock)
    held.name(4711)
    outcome = bench.install(BEFORE)
    assert outcome == InstallOutcome(False, "an earlier run still goes on (process 4711)")
    held.give_back()
    assert bench.install(BEFORE) == INSTALLED
    bench.lock.unlink()
    bench.lock.mkdir()
    assert bench.install(BEFORE).how.startswith("can't be started (")


# The probe


def refusal(kernel: PlayedKernel, name: str = "wpan0") -> OperatorError:
    async def run() -> None:
        await check(name, kernel.open_socket)

    with pytest.raises(OperatorError) as caught:
        asyncio.run(run())
    assert caught.value.hint
    return caught.value


def test_the_probe_changes_nothing() -> None:
    """It deletes a key that nobody can have."""
    kernel = PlayedKernel(Interface(keys={(1, 255, 0): (3, OLD), (2, 254, 0): (3, NEW)}))

    async def run() -> None:
        await check("wpan0", kernel.open_socket)

    asyncio.run(run())
    assert len(kernel.wpan.keys) == 2


def test_an_interface_without_a_pan_id_is_not_ready() -> None:
    """Its devices could not be found by their short addresses."""
    error = refusal(PlayedKernel(Interface(pan_id=0xFFFF)))
    assert error.message == "wpan0 has no PAN ID yet"


def test_who_may_not_try_is_told_apart() -> None:
    """Nothing is known then of what the service may do."""
    kernel = PlayedKernel()
    kernel.may_administer = False
    assert isinstance(refusal(kernel), PrivilegeError)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (None, "interface other0 is not there"),
        (InterfaceKind.LOWPAN, "other0 is a 6LoWPAN interface, and keys belong to the radio"),
        (InterfaceKind.OTHER, "other0 is no IEEE 802.15.4 interface (ARPHRD 804)"),
    ],
)
def test_what_is_no_radio_is_said_to_be_what_it_is(
    monkeypatch: pytest.MonkeyPatch, kind: InterfaceKind | None, message: str
) -> None:
    """The kernel says ENODEV to all of them."""

    async def look(name: str) -> Found | None:
        return None if kind is None else Found(name=name, index=3, is_up=True, kind=kind)

    monkeypatch.setattr(linuxinstaller, "look", look)
    assert refusal(PlayedKernel(), "other0").message.startswith(message)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("net/thresh", "this kernel has no IEEE 802.15.4 (generic netlink family"),
        ("net/", "link-layer keys can be set in the first network namespace alone"),
        ("", "this kernel has no IEEE 802.15.4 (generic netlink family"),
    ],
)
def test_a_kernel_without_the_family_or_another_namespace_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, message: str
) -> None:
    """One file shows only in the first namespace; ProcSubset=pid hides all of them."""
    kernel = PlayedKernel()
    kernel.has_family = False
    if made:
        (tmp_path / "net").mkdir()
    if made.endswith("thresh"):
        (tmp_path / made).touch()
    monkeypatch.setattr(linuxinstaller, "LIMIT_FILE", tmp_path / "net" / "thresh")
    error = refusal(kernel)
    assert error.message.startswith(message)
    assert ("namespace" in error.message) == (made != "net/thresh")


def test_this_very_kernel_is_asked_without_harm() -> None:
    """Loopback is no radio anywhere, and most kernels have no IEEE 802.15.4 at all."""
    with pytest.raises(OperatorError) as caught:
        asyncio.run(check("lo"))
    assert caught.value.hint
