"""``jrc provision watch --send-keys`` without a daemon: what it says, stores and refuses."""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from jrc.cli.client import Api, connect
from jrc.cli.key_entering import Terms, compare, enter
from jrc.cli.options import Common
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId
from jrc.provision.bench_plan import Answer
from jrc.provision.device import Device
from jrc.provision.generate import generate
from jrc.provision.source import KeySource
from tests.cli.terminal import PLEDGE, Done, Terminal
from tests.daemon.receivers import Board, Port
from tests.provision.receiver import COMPILER, SOURCES, compiled

NEW = PledgeId.from_hex("0200000000000001")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    words = ("-DOFFER_MS=200", "-Wno-conversion")
    return compiled(folder, "device", *words, sources=("device.c", *SOURCES))


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    made = Port(tmp_path / "ttyTEST", random.Random(1))
    yield made
    made.close()


@pytest.fixture
def registrar(terminal: Terminal) -> Terminal:
    """With the networks lab and home, and one pledge."""
    terminal.add_lab()
    words = ("network", "add", "home", "--network-id", "beef", "--prefix", "2001:db8:0:2::/64")
    assert terminal.jrc(*words).code == 0
    return terminal


def send(registrar: Terminal, port: Port, *more: str) -> Done:
    limit = () if "--for" in more else ("--for", "30s")
    words = ("provision", "watch", str(port.path), "--send-keys", "--network", "lab")
    return registrar.jrc(*words, *limit, *more)


def shown(registrar: Terminal, identifier: PledgeId = NEW) -> dict[str, Any]:
    found: dict[str, Any] = registrar.jrc("pledge", "show", str(identifier), "--json").json
    return found


def test_a_new_device_gets_a_key_and_is_entered_with_what_was_said(
    registrar: Terminal, port: Port, program: Path, tmp_path: Path
) -> None:
    """Its key is in force, of provenance `serial`, and from the port; the audit log says why."""
    board = Board(program, tmp_path, NEW)
    port.plug(board)
    done = send(registrar, port, "--role", "6lbr", "--count", "1", "--reason", "batch 7")
    assert (ExitCode.DONE, "1 device with a key\n") == (done.code, done.err)
    assert board.device is not None
    check = board.device.key_check
    assert [
        "ttyTEST: open",
        f"ttyTEST: {NEW} has no key",
        f"ttyTEST: {NEW}: the registrar is told its new key",
        f"ttyTEST: {NEW} is sent its key",
        f"ttyTEST: {NEW} has stored its key, check value {check}",
    ] == [line.split(" ", 1)[1] for line in done.out.splitlines()]
    pledge = shown(registrar)
    (key,) = pledge["keys"]
    assert (["lab"], "6lbr") == (pledge["networks"], pledge["role"])
    assert ("serial", "ttyTEST:1", "current", check) == (
        key["provenance"], key["source"], key["state"], key["key_check"],
    )  # fmt: skip
    assert "batch 7" in registrar.jrc("events", "--kind", "import.published", "--json").out


def test_a_device_with_its_key_is_done_and_derived_keys_go_the_same_way(
    registrar: Terminal, port: Port, program: Path, tmp_path: Path
) -> None:
    """RFC 9031 App. B; the second run sends nothing, and says so."""
    board = Board(program, tmp_path, NEW)
    port.plug(board)
    assert send(registrar, port, "--derived", "--count", "1").code == ExitCode.DONE
    assert board.device is not None
    assert board.device.is_derived
    assert "derived" == shown(registrar)["keys"][0]["kind"]
    sent = port.sent.count(b"jrc1 key ")  # more than once where its answer took long
    again = send(registrar, port, "--count", "1")
    assert again.code == ExitCode.DONE
    assert f"{NEW} has a key that the registrar knows" in again.out
    assert sent == port.sent.count(b"jrc1 key ")


def test_a_device_that_the_registrar_has_put_out_is_named(
    registrar: Terminal, port: Port, program: Path, tmp_path: Path
) -> None:
    """It gets no key; the command says what to do, and that not all is done."""
    identifier = PledgeId.from_hex(PLEDGE)
    assert registrar.jrc("pledge", "revoke", PLEDGE, "--yes").code == 0
    board = Board(program, tmp_path, identifier)
    port.plug(board)
    done = send(registrar, port, "--for", "1s")
    assert done.code == ExitCode.PARTLY
    assert f"{PLEDGE} is revoked and gets no new key" in done.err
    assert "`jrc pledge restore`" in done.out
    assert "`jrc pledge restore`" in done.err
    assert board.device is None


def test_a_device_with_another_key_is_named(
    registrar: Terminal, port: Port, program: Path, tmp_path: Path
) -> None:
    """By both check values; nothing is sent."""
    board = Board(program, tmp_path, NEW)
    port.plug(board)
    assert send(registrar, port, "--count", "1").code == ExitCode.DONE
    assert board.device is not None
    assert registrar.jrc("pledge", "remove", str(NEW), "--yes").code == 0
    done = send(registrar, port, "--for", "1s")
    assert done.code == ExitCode.PARTLY
    assert f"it has a key ({board.device.key_check}), and pledge {NEW} was removed" in done.err


def test_a_console_that_echoes_is_named_and_is_sent_no_key(
    registrar: Terminal, port: Port, program: Path, tmp_path: Path
) -> None:
    """It would show it to everybody who watches the console."""
    port.echoes = True
    port.plug(Board(program, tmp_path, NEW))
    done = send(registrar, port, "--for", "1s", "--json")
    assert done.code == ExitCode.PARTLY
    summary = json.loads(done.out.splitlines()[-1])
    assert {} == summary["keys"]
    assert "repeats what it is sent" in summary["without_key"][str(NEW)]
    assert b"jrc1 who" in port.sent
    assert b"jrc1 key" not in port.sent


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ttyTEST", "--derived"), "--network, --role, --derived and --renew go with --send-keys"),
        (("-", "--send-keys"), "--send-keys: - can't be written to"),
        (("config.toml", "--send-keys"), "config.toml can't be written to"),
        (("ttyTEST", "--send-keys", "--role", "boss"), "boss"),
        (("ttyTEST", "--send-keys", "--network", "a;b"), "--network is no name of a network"),
    ],
)
def test_what_can_not_be_meant_is_refused(
    registrar: Terminal, words: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is opened."""
    monkeypatch.chdir(registrar.folder)
    done = registrar.jrc("provision", "watch", *words, "--for", "1s")
    assert done.code == ExitCode.USAGE
    assert said in done.err


def test_the_same_key_may_be_entered_again(registrar: Terminal) -> None:
    """Where the connection broke off, nobody knows what became of it; also a key that waits."""
    first, second, third = (generate([NEW], KeySource())[0] for _ in range(3))
    terms = Terms({"network": "lab"})
    with connect(Common(str(registrar.config))) as api:
        for device in (first, first, second, second, third, third):
            assert Answer() == enter(api, device, terms, "ttyTEST", "batch 7")
        assert Answer() == compare(api, NEW, first.key_check)
        assert "it has another key" in compare(api, NEW, second.key_check).why
        assert Answer() == compare(api, NEW, third.key_check)
    states = {key["key_check"]: key["state"] for key in shown(registrar)["keys"]}
    assert {first.key_check: "current", third.key_check: "candidate", None: "withdrawn"} == states


def test_a_device_that_the_registrar_knows_gets_a_key_where_that_was_asked_for(
    registrar: Terminal,
) -> None:
    """Any board can say its name; the operator's own entry, and a 6LBR's, say what to do."""
    router = PledgeId.from_hex("0200000000000009")
    of_lab = ("--network", "lab", "--role")
    added = registrar.add_pledge(str(router), token_hex(16), *of_lab, "6lbr")
    assert added.code == ExitCode.DONE, added.err
    known, of_router = generate([PledgeId.from_hex(PLEDGE), router], KeySource())
    with connect(Common(str(registrar.config))) as api:
        refused = enter(api, known, Terms({}), "ttyTEST", "")
        assert ("the registrar knows a device" in refused.why, "--renew" in refused.remedy) == (
            True, True,
        )  # fmt: skip
        for terms in (Terms({}), Terms({}, renews=True), Terms({"role": "6ln"}, renews=True)):
            refused = enter(api, of_router, terms, "ttyTEST", "")
            assert "it is a 6LBR" in refused.why
            assert "--role 6lbr --renew" in refused.remedy
        assert Answer() == enter(api, known, Terms({}, renews=True), "ttyTEST", "")
        assert Answer() == enter(api, known, Terms({}), "ttyTEST", ""), "the same key again"
        as_router = Terms({"role": "6lbr"})
        assert "the registrar knows" in enter(api, of_router, as_router, "ttyTEST", "").why
        renewed = as_router._replace(renews=True)
        assert Answer() == enter(api, of_router, renewed, "ttyTEST", "")
    for name in (PLEDGE, str(router)):
        states = [
            key["state"] for key in registrar.jrc("pledge", "show", name, "--json").json["keys"]
        ]
        assert ["candidate", "current"] == sorted(states)


def test_a_device_that_has_joined_gets_no_second_key_by_its_name_alone(registrar: Terminal) -> None:
    """Its key came down a port too, and is in use by now."""
    first, second = (generate([NEW], KeySource())[0] for _ in range(2))

    class Joined:
        """The registrar, and what it says of a device that has joined."""

        def __init__(self, api: Api) -> None:
            self.upload = api.upload
            self.get = lambda path: {**api.get(path), "highest_number": 0}

    with connect(Common(str(registrar.config))) as api:
        assert Answer() == enter(api, first, Terms({"network": "lab"}), "ttyTEST", "")
        joined: Any = Joined(api)
        assert "the registrar knows" in enter(joined, second, Terms({}), "ttyTEST", "").why
        assert Answer() == enter(joined, second, Terms({}, renews=True), "ttyTEST", "")


def test_a_device_whose_key_was_burnt_gets_another_after_its_removal(registrar: Terminal) -> None:
    """As its remedy says."""
    first, second = (generate([NEW], KeySource())[0] for _ in range(2))
    terms = Terms({"network": "lab"})
    with connect(Common(str(registrar.config))) as api:
        assert Answer() == enter(api, first, terms, "ttyTEST", "")
    assert registrar.jrc("pledge", "remove", str(NEW), "--yes").code == 0
    with connect(Common(str(registrar.config))) as api:
        assert Answer() == enter(api, second, terms, "ttyTEST", "")
        assert Answer() == compare(api, NEW, second.key_check)
        assert "another key" in compare(api, NEW, first.key_check).why


def test_what_the_registrar_refuses_is_told_in_its_words(registrar: Terminal) -> None:
    """With its remedy; a key that is somebody else's, a network that is not there."""
    (device,) = generate([NEW], KeySource())
    assert device.psk is not None
    other = Device.from_psk(PledgeId.from_hex("0200000000000002"), device.psk)
    with connect(Common(str(registrar.config))) as api:
        answer = enter(api, device, Terms({"network": "nowhere"}), "ttyTEST", "")
        assert "there is no network 'nowhere'" in answer.why
        assert Answer() == enter(api, device, Terms({"network": "lab"}), "ttyTEST", "")
        assert f"this key is the one of pledge {NEW}" in enter(
            api, other, Terms({"network": "lab"}), "ttyTEST", ""
        ).why  # fmt: skip
        unknown = compare(api, other.identifier, "00000000")
    assert "it has a key (00000000), and pledge 0200000000000002 is unknown" == unknown.why


def test_a_registrar_that_is_away_is_asked_again(registrar: Terminal) -> None:
    """What carries the questions out keeps them then."""
    (device,) = generate([NEW], KeySource())

    class Away:
        def upload(self, *_: object) -> dict[str, object]:
            raise OperatorError("the daemon can't be reached", exit_code=ExitCode.UNREACHABLE)

    with pytest.raises(OperatorError, match="can't be reached"):
        enter(Away(), device, Terms({}), "ttyTEST", "")  # type: ignore[arg-type]
