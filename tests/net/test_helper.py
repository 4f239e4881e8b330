"""The helper for a radio and the installer that asks it: over real Unix sockets, on a played
kernel."""

import asyncio
import os
import socket
import struct
import subprocess
import sys
from contextlib import closing, suppress
from pathlib import Path

import pytest

from jrc import config
from jrc.config.sections import MAX_INSTALLER_TIMEOUT_S
from jrc.errors import OperatorError
from jrc.net import helper as helping
from jrc.net.framecounter import CounterFile, Seen
from jrc.net.helperinstaller import HelperInstaller, check_by_helper
from jrc.net.helpertalk import LONGEST_RUN_S, MAX_MESSAGE_BYTES
from jrc.net.installers import programs
from jrc.service.ports import InstallOutcome
from tests.net.bench import (
    AFTER,
    BEFORE,
    DURING,
    INSTALLED,
    NEW,
    NODE,
    NOW_S,
    OLD,
    OTHER,
    Pair,
    document,
    key,
    restart,
)
from tests.net.nl802154 import ADD_KEY, LIST_KEY

NOBODY = "65534"


def test_keys_go_through_the_helper_as_they_would_without_it(pair: Pair) -> None:
    """RFC 9031 §8.4.3.1: put in, changed, the old ones retired; later it says that they are in."""
    for told in (BEFORE, DURING, AFTER):
        assert pair.install(told) == INSTALLED
    assert pair.held == {2: NEW}
    assert pair.keeps()
    assert pair.said == []


def test_the_frame_counter_is_on_the_registrars_disk_before_it_counts(pair: Pair) -> None:
    """The helper keeps nothing: an interface that is made anew begins above what was sent."""
    pair.kernel.wpan.frame_counter = 5000
    assert pair.install() == INSTALLED
    assert pair.memory.read() == Seen(5000, NOW_S, 1)
    pair.kernel.wpan.frame_counter = 70_000
    pair.memory.write(Seen(70_000, NOW_S, 1))
    restart(pair)
    assert not pair.keeps()
    assert pair.install() == INSTALLED
    assert pair.kernel.wpan.frame_counter == 71_000
    assert pair.memory.read() == Seen(71_000, NOW_S, 1)


def test_no_key_is_sent_with_whose_counter_the_registrar_can_not_note(pair: Pair) -> None:
    """Its disk is full: the run fails, and the radio goes on as before."""
    pair.memory.path.with_name("wpan0.counter.new").mkdir()
    outcome = pair.install()
    assert (outcome.installed, "can't be written" in outcome.how) == (False, True)
    assert pair.kernel.wpan.enabled == 0


def test_a_helper_sets_no_other_radio(pair: Pair) -> None:
    """Neither its keys are touched, nor does the helper say what others there are."""
    outcome = pair.install(interface="wpan1")
    assert not outcome.installed
    assert outcome.how.startswith("this helper sets the keys of another interface, wpan0")
    assert pair.kernel.requests == []


def test_only_the_registrars_user_and_root_are_listened_to(tmp_path: Path) -> None:
    """SO_PEERCRED: whoever else may connect is hung up on, and the journal says who."""
    made = Pair(tmp_path, NOBODY)
    try:
        if os.geteuid() == 0:
            assert made.install() == INSTALLED
            made.socket.chmod(0o666)
            tmp_path.chmod(0o711)
            other = "import os, socket; os.setuid(65533); s = socket.socket(socket.AF_UNIX);"
            run = [sys.executable, "-I", "-c", f"{other} s.connect('wpan0.sock'); print(s.recv(1))"]
            assert subprocess.check_output(run, text=True, cwd=tmp_path).strip() == "b''"
            assert made.said == ["user 65533 was hung up on: the helper listens to 65534 alone"]
        else:
            outcome = made.install()
            assert (outcome.installed, "has hung up" in outcome.how) == (False, True)
    finally:
        made.stop()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\xff\xff\xff\xff",
        struct.pack(">I", MAX_MESSAGE_BYTES + 1),
        b"\0\0\0\x02[]",
        b"\0\0\0\x02{}",
        b"\0\0\0\x04{bad",
        b'\0\0\0\x0f{"ask": "steal"}',
        b"\0\0\0\x09" + b"[" * 9,
    ],
)
def test_whoever_does_not_ask_as_a_registrar_is_hung_up_on(pair: Pair, sent: bytes) -> None:
    """Nothing is answered, nothing is set, and the next one is served."""
    with closing(pair.connected()) as stranger:
        stranger.sendall(sent)
        stranger.shutdown(socket.SHUT_WR)
        with suppress(ConnectionResetError):
            assert stranger.recv(1) == b""
    assert pair.install() == INSTALLED
    (said,) = pair.said
    assert said.startswith("a connection ended without an answer: ")


def test_whoever_asks_nothing_does_not_hold_the_helper(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has so long for its question, however slowly it comes."""
    monkeypatch.setattr(helping, "ASKED_WITHIN_S", 0.05)
    with closing(pair.connected()) as silent:
        assert pair.install() == INSTALLED
        assert silent.recv(1) == b""


def test_what_the_kernel_refuses_is_told_without_keys(pair: Pair) -> None:
    """By the helper's answer and in its journal."""
    pair.kernel.fails = {ADD_KEY: 28}
    outcome = pair.install()
    assert outcome.how == "wpan0: the kernel refuses to add key 1 (No space left on device)"
    assert pair.said == [outcome.how]
    assert pair.install(document({**key(1, OLD), "addinfo": "01020304"})).how.startswith("key 1 is")
    assert not any(OLD.hex() in line for line in pair.said)


def test_a_kernel_that_is_silent_holds_nobody_up(pair: Pair) -> None:
    """The run ends at the time of the settings, at the helper too: the next one finds it free."""
    pair.kernel.silent_at = LIST_KEY
    assert pair.install(timeout_s=0.05) == InstallOutcome(False, "took longer than 0.05 s")
    pair.kernel.silent_at = None
    assert pair.install() == INSTALLED


def test_nodes_that_the_kernel_does_not_list_keep_their_counters(pair: Pair) -> None:
    """The helper remembers from run to run whom it has put in, and forgets it with the radio."""
    many = tuple(number.to_bytes(8) for number in range(1, 8))
    pair.install(document(key(1, OLD), nodes=many))
    for eui64, each in pair.kernel.wpan.devices.items():
        pair.kernel.wpan.devices[eui64] = each._replace(frame_counter=99)
    pair.install(document(key(1, OLD), nodes=(*many, NODE)))
    counters = {eui64: each.frame_counter for eui64, each in pair.kernel.wpan.devices.items()}
    assert counters == {**dict.fromkeys(many, 99), NODE: 0}
    assert OTHER not in counters


def test_a_whole_network_fits_into_one_question(pair: Pair) -> None:
    """As many nodes as there are short identifiers are within the bound."""
    most = document(key(1, OLD), nodes=tuple(n.to_bytes(8) for n in range(1, 1000)))
    assert len(most.reveal()) / 999 * 65_535 < MAX_MESSAGE_BYTES
    assert pair.install(most) == INSTALLED


def test_a_helper_that_is_not_there_is_named_with_its_unit(tmp_path: Path) -> None:
    """Socket activation starts it; without the socket nothing does."""
    memory = CounterFile(tmp_path / "counter")
    made = HelperInstaller("wpan0", 1.0, tmp_path / "lock", memory, tmp_path / "wpan0.sock")
    outcome = asyncio.run(made.install("lab", BEFORE))
    assert not outcome.installed
    assert "can't be reached (No such file or directory)" in outcome.how
    assert "systemctl enable --now jrc-wpan@wpan0.socket" in outcome.how
    assert not asyncio.run(made.keeps())


@pytest.mark.parametrize(
    ("sent", "how"),
    [
        (b"", "has hung up"),
        (b"\xff\xff\xff\xff", "does not answer as a helper does (a message is longer"),
        (b"\0\0\0\x02{}", "does not answer as a helper does (the answer does not say"),
        (b'\0\0\0\x0d{"note": null}'[:17], "does not answer as a helper does"),
    ],
)
def test_something_else_behind_the_socket_installs_nothing(
    tmp_path: Path, sent: bytes, how: str
) -> None:
    """And the registrar notes nothing that it says."""

    async def work() -> InstallOutcome:
        async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readexactly(4)
            writer.write(sent)
            await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(other, tmp_path / "sock")
        memory = CounterFile(tmp_path / "counter")
        made = HelperInstaller("wpan0", 1.0, tmp_path / "lock", memory, tmp_path / "sock")
        outcome = await made.install("lab", BEFORE)
        server.close()
        assert memory.read() is None
        return outcome

    outcome = asyncio.run(work())
    assert (outcome.installed, how in outcome.how) == (False, True), outcome.how


def test_whether_keys_can_be_set_is_asked_of_the_helper(pair: Pair) -> None:
    """`jrc doctor`; nothing is changed."""
    asyncio.run(check_by_helper("wpan0", pair.socket))
    assert pair.kernel.changes == []
    pair.kernel.has_llsec = False
    with pytest.raises(OperatorError) as caught:
        asyncio.run(check_by_helper("wpan0", pair.socket))
    assert caught.value.message.startswith("the driver of wpan0 has no link-layer security")
    assert caught.value.hint


def test_files_of_an_installer_are_the_same_with_a_helper_and_without(tmp_path: Path) -> None:
    """The frame counter goes on where one takes the place of the other."""
    text = '[[installer]]\nnetwork = "lab"\nkind = "linux"\ninterface = "wpan0"\n'
    ((_, alone),) = programs(config.parse(text).installer, tmp_path)
    helped = config.parse(f'{text}helper = "/run/jrc-wpan/wpan0.sock"').installer
    ((_, asking),) = programs(helped, tmp_path)
    assert isinstance(asking, HelperInstaller)
    assert asking.is_local
    for name in ("_lock", "_memory"):
        assert vars(alone)[name] == vars(asking)[name]


def test_a_run_may_take_as_long_as_the_config_file_may_say() -> None:
    """The helper knows no config file."""
    assert LONGEST_RUN_S == MAX_INSTALLER_TIMEOUT_S


def test_the_helper_loads_little() -> None:
    """A process with a capability: no web framework, no database, nothing that reads settings."""
    look = "import sys, jrc.cli.wpan; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-c", look], text=True).split()
    heavy = {"pydantic", "sqlalchemy", "starlette", "typer", "httpx", "cryptography"}
    assert heavy & set(loaded) == set()


def test_a_dynamic_user_is_known_without_a_name_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A host may have no libnss-systemd: systemd itself says which number the name has."""
    monkeypatch.setattr(helping, "DYNAMIC_USERS", tmp_path)
    (tmp_path / "direct:jrc-nobody-yet").symlink_to("64321")
    (tmp_path / "direct:jrc-odd").symlink_to("../../etc")
    names = ("jrc-nobody-yet", "jrc-odd", "jrc-unknown", "1000", "root")
    assert [helping._uid_of(name) for name in names] == [64321, None, None, 1000, 0]
