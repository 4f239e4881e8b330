"""`jrc doctor` on interfaces, installers, marks and the Join Proxy's neighbours."""

from ipaddress import IPv6Address
from pathlib import Path

import pytest

from jrc.cli.diagnosis import installers, links, marks, neighbours
from jrc.cli.diagnosis.verdict import Status
from jrc.errors import OperatorError
from jrc.net.linuxinstaller import PrivilegeError
from jrc.net.neighbours import NeighbourFacts
from jrc.policy.interface import Interface, InterfaceAddress, InterfaceKind
from tests.cli.examined import (
    FAILURE,
    SKIPPED,
    SUCCESS,
    WARNING,
    append,
    case_of,
    findings,
    listen,
    one,
    statuses,
)
from tests.cli.terminal import PREFIX, PSK, Terminal
from tests.unshared import needs_namespace, run_inside

# Interfaces


LINK_LOCAL = IPv6Address("fe80::1")
GOOD = Interface("lowpan0", 7, is_up=True, link_local=LINK_LOCAL, kind=InterfaceKind.LOWPAN)


def test_an_interface_in_order_is_described() -> None:
    """Kind, link-local address and prefix."""
    with_prefix = Interface(
        "lowpan0", 7, is_up=True, link_local=LINK_LOCAL, kind=InterfaceKind.LOWPAN,
        addresses=(InterfaceAddress(IPv6Address("2001:db8::5"), 64),),
    )  # fmt: skip
    verdict = links.judge("proxy.interface", "lowpan0", with_prefix)
    assert verdict.status is SUCCESS
    for part in ("6LoWPAN", "fe80::1", "2001:db8::/64"):
        assert part in verdict.what
    assert links.judge("proxy.interface", "lowpan0", GOOD).what.endswith("prefix none")


@pytest.mark.parametrize(
    "found",
    [
        None,
        Interface("lowpan0", 7, is_up=False, link_local=LINK_LOCAL),
        Interface("lowpan0", 7, is_up=True),
    ],
)
def test_an_interface_that_pledges_can_not_reach_fails(found: Interface | None) -> None:
    """Not there, down, or without a link-local address."""
    verdict = links.judge("proxy.interface", "lowpan0", found)
    assert verdict.status is FAILURE
    assert verdict.hint


def test_a_network_without_a_prefix_to_take_is_a_warning() -> None:
    """It keeps the prefix that it had; one that is named by the config file needs none."""
    verdict = links.judge(links.NETWORK, "lowpan0", GOOD)
    assert (verdict.status, "no /64 prefix" in verdict.what) == (WARNING, True)
    assert links.judge("coap.listen", "lowpan0", GOOD).status is SUCCESS


def test_an_interface_that_a_network_follows_is_looked_at(terminal: Terminal) -> None:
    """Where no daemon runs the database tells, else the daemon."""
    words = ("network", "add", "lab", "--network-id", "cafe")
    assert terminal.jrc(*words, "--prefix-from", "nosuch0", "--prefix", PREFIX).code == 0
    found = one(terminal, "interface")
    assert (found.status, "network: there is no interface nosuch0" == found.what) == (WARNING, True)
    with terminal.daemon():
        assert found == one(terminal, "interface")


def test_no_interface_named_is_in_order(made: Terminal) -> None:
    """Nothing is looked at."""
    assert one(made, "interface").status is SUCCESS


def test_an_interface_that_is_not_there_is_waited_for_and_its_address_skipped(
    terminal: Terminal,
) -> None:
    """In the settings for listening."""
    listen(terminal, "[fe80::1%nosuch0]:5683")
    assert one(terminal, "interface").status is WARNING
    assert one(terminal, "addresses").status is SKIPPED
    assert one(terminal, "ports").status is SKIPPED


@needs_namespace
def test_an_interface_that_comes_goes_and_is_down_is_seen(tmp_path: Path) -> None:
    """A veth stands in for the radio: an address of coap.listen waits, a Join Proxy can't work."""
    found = run_inside("tests.cli.doctor_namespace", str(tmp_path / "registrar"))
    assert found == {
        "interface": {
            "there": ["success", "success"],
            "down": ["warning", "failure"],
            "removed": ["warning", "failure"],
        },
        "addresses": {"there": ["success"], "down": ["warning"], "removed": ["skipped"]},
    }


# Installers


def test_an_installer_is_looked_at_without_calling_it(terminal: Terminal) -> None:
    """Its program has to be there, and its network known."""
    assert one(terminal, "installer").status is SUCCESS
    append(terminal, '[[installer]]\nnetwork = "lab"\nkind = "exec"\ncommand = ["./set-keys"]')
    missing = one(terminal, "installer")
    assert (missing.status, "chmod +x" in missing.hint) == (FAILURE, True)
    program = terminal.folder / "set-keys"
    program.write_text("#!/bin/sh\ntouch called\n")
    program.chmod(0o755)
    assert [SUCCESS, FAILURE] == statuses(terminal, "installer")
    terminal.add_lab()
    assert [SUCCESS] == statuses(terminal, "installer")
    assert not Path("called").exists()


@pytest.mark.parametrize(
    ("error", "status", "hint"),
    [
        (None, SUCCESS, ""),
        (OperatorError("this kernel has none", "load it"), FAILURE, "load it"),
        (PrivilegeError("may not"), SKIPPED, "run jrc doctor as root: sudo jrc doctor"),
    ],
)
def test_a_radio_of_this_host_is_asked_whether_it_takes_keys(
    monkeypatch: pytest.MonkeyPatch, error: OperatorError | None, status: Status, hint: str
) -> None:
    """And whoever reads it hears that the installer was never tried with one."""

    async def check(_name: str) -> None:
        if error is not None:
            raise error

    monkeypatch.setattr(installers, "check", check)
    found, untried = installers.look_at_radio("wpan0", has_proxy=False)
    assert (found.status, found.hint) == (status, hint)
    assert untried.status is SKIPPED
    assert "never tried with a radio" in untried.what


def test_a_join_proxy_over_a_radio_that_linux_protects_is_warned_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """RFC 9031 §5.1: authenticated frames are for pledges, too; encrypted ones they can't read."""

    async def check(_name: str) -> None:
        return

    monkeypatch.setattr(installers, "check", check)
    *_, found = installers.look_at_radio("wpan0", has_proxy=True)
    assert (found.status, "key usage 3, 4 or 5" in found.hint) == (WARNING, True)


def test_an_installer_that_failed_is_a_warning() -> None:
    """The daemon tells of its last run, and tries again by itself."""
    failed, waiting, good = installers.judge_runs(
        {
            "lab/exec": {"state": "failed", "failures": 3, "error": "exit code 1"},
            "yard/exec": {"state": "failed", "failures": 0, "error": "there is no network 'yard'"},
            "hall/exec": {"state": "installed", "failures": 0, "error": None},
        }
    )
    assert (failed.status, waiting.status, good.status) == (WARNING, WARNING, SUCCESS)
    assert failed.what == "lab/exec has failed 3 times: exit code 1"
    assert waiting.what == "yard/exec was not run: there is no network 'yard'"


# DSCP


def test_both_marks_are_set_and_read(made: Terminal) -> None:
    """RFC 9031 §6.1, over loopback."""
    assert [SUCCESS, SUCCESS] == statuses(made, "dscp")


def test_a_mark_that_was_changed_on_the_way_fails() -> None:
    """What is read is what arrived, and not what was set."""
    arrived = marks.read_back(0)
    assert 0 == arrived
    verdict = marks.judge("AF42", 36, arrived)
    assert verdict.status is FAILURE
    assert "DSCP 0 arrived" in verdict.what


def test_a_mark_that_is_not_told_is_a_warning() -> None:
    """Some kernels keep IPV6_RECVTCLASS to themselves."""
    assert marks.judge("AF42", 36, None).status is WARNING


def test_without_ipv6_on_loopback_marks_fail(
    made: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is a line and no crash."""
    monkeypatch.setattr(marks, "_LOOPBACK", "2001:db8::1")
    found = one(made, "dscp")
    assert found.status is FAILURE
    assert "loopback" in found.hint


# Neighbours


def facts(entries: int | None = 1024, *, radios: bool = True, keys: bool = True) -> NeighbourFacts:
    return NeighbourFacts(entries, radios, keys)


def test_p09_without_a_join_proxy_nothing_is_asked(made: Terminal) -> None:
    """RFC 9031 §6 is about the Join Proxy's host."""
    assert one(made, "neighbours").status is SUCCESS


@pytest.mark.parametrize(("entries", "status"), [(128, WARNING), (1024, SUCCESS), (None, SUCCESS)])
def test_p09_the_one_neighbour_table_is_told_with_its_size(
    entries: int | None, status: object
) -> None:
    """RFC 9031 §6: Linux has no cache apart for pledges; how many fill it is said."""
    verdict = neighbours.judge_table(facts(entries))
    assert verdict.status is status
    assert "one neighbour table" in verdict.what


@pytest.mark.parametrize(
    ("kind", "found", "status"),
    [
        (InterfaceKind.LOWPAN, facts(), SUCCESS),
        (InterfaceKind.WPAN, facts(keys=False), WARNING),
        (InterfaceKind.LOWPAN, facts(radios=False, keys=False), WARNING),
        (InterfaceKind.OTHER, facts(), SKIPPED),
        (None, facts(), SKIPPED),
    ],
)
def test_p09_what_is_not_known_of_authentication_is_not_claimed(
    kind: InterfaceKind | None, found: NeighbourFacts, status: object
) -> None:
    """RFC 9031 §5.1: behind a radio that Linux does not see, nothing is known."""
    verdict = neighbours.judge_authentication("lowpan0", kind, found)
    assert verdict.status is status
    assert "authenticated" in verdict.what or "not looked at" in verdict.what


def test_p09_a_join_proxys_host_is_probed(terminal: Terminal) -> None:
    """Both lines come, of an interface that is no radio."""
    append(terminal, '[proxy]\ninterface = "lo"\njrc = "[2001:db8::1]:5683"')
    table, authentication = findings(case_of(terminal), "neighbours")
    assert table.status in (SUCCESS, WARNING)
    assert authentication.status is SKIPPED


def test_p09_without_netlink_the_probe_fails(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some containers have none."""

    async def refuse() -> NeighbourFacts:
        raise OSError(97, "Address family not supported by protocol")

    monkeypatch.setattr(neighbours, "probe", refuse)
    append(terminal, '[proxy]\ninterface = "lo"\njrc = "[2001:db8::1]:5683"')
    found = one(terminal, "neighbours")
    assert (found.status, "AF_NETLINK" in found.hint) == (FAILURE, True)


# Join Proxy


def test_a_join_proxys_network_and_state_are_looked_at(terminal: Terminal) -> None:
    """A network that is not there and a damaged state each fail, with what to do."""
    terminal.add_lab()
    before = terminal.config.read_text()
    section = '[proxy]\ninterface = "lo"\njrc = "[2001:db8::1]:5683"\n'
    append(terminal, f'{section}network = "labb"')
    found = one(terminal, "proxy")
    assert (found.status, "did you mean lab?" in found.what) == (FAILURE, True)
    psk = terminal.folder / "psk"
    psk.write_text(PSK)
    psk.chmod(0o600)
    terminal.config.write_text(before)
    append(terminal, f'{section}network = "lab"\npledge_id = "01"\npsk_file = "psk"')
    assert one(terminal, "proxy").status is SUCCESS
    (terminal.folder / "psk.state").write_text("{")
    damaged = one(terminal, "proxy")
    assert (damaged.status, "delete the file" in damaged.hint) == (FAILURE, True)
