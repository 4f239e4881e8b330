"""What an operator says and sees of interfaces and addresses; loopback has no /64."""

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import PLEDGE, Terminal

ADD = ("network", "add", "mesh", "--network-id", "d00d")


@pytest.fixture
def made(terminal: Terminal) -> Terminal:
    """A registrar with a network and a pledge."""
    terminal.add_lab()
    return terminal


def test_a_network_needs_a_prefix_or_an_interface_that_has_one(made: Terminal) -> None:
    """One sentence, and what to do."""
    done = made.jrc(*ADD)
    assert (ExitCode.USAGE, "error: prefix: missing") == (done.code, done.err.splitlines()[0])
    for name, why in (("lo", "it has no global /64"), ("no-such0", "there is no interface")):
        done = made.jrc(*ADD, "--prefix-from", name)
        assert (ExitCode.REFUSED, True) == (done.code, why in done.err)
        assert "--prefix PREFIX/64" in done.err


def test_a_prefix_serves_until_the_interface_has_one(made: Terminal) -> None:
    """Both are shown, as is what is missing."""
    done = made.jrc(
        *ADD, "--prefix", "fd00:1::/64", "--prefix-from", "lo", "--jrc-address-from", "no-such0"
    )
    assert (0, True) == (done.code, "warning: no-such0 has no address" in done.err)
    found = made.jrc("network", "show", "mesh", "--json").json
    names = ("prefix", "prefix_from", "jrc_address", "jrc_address_from")
    assert ["fd00:1::/64", "lo", None, "no-such0"] == [found[name] for name in names]


def test_following_is_begun_and_ended_by_set(made: Terminal) -> None:
    """Loopback's own address is one a registrar can't be reached at, so it gives none."""
    done = made.jrc("network", "set", "lab", "--prefix-from", "lo", "--json")
    assert (0, "lo") == (done.code, done.json["prefix_from"])
    done = made.jrc("network", "set", "lab", "--prefix-from", "none", "--json")
    assert (0, None) == (done.code, done.json["prefix_from"])
    done = made.jrc("network", "set", "lab", "--jrc-address-from", "lo", "--json")
    assert (None, "lo") == (done.json["jrc_address"], done.json["jrc_address_from"])
    done = made.jrc(
        "network", "set", "lab", "--jrc-address", "2001:db8::1", "--jrc-address-from", "lo"
    )
    assert (ExitCode.USAGE, True) == (done.code, "exclude each other" in done.err)


def test_an_address_is_given_to_joined_nodes_only(made: Terminal) -> None:
    """Bad addresses, and both or neither of address and --clear, are one sentence."""
    command = ("pledge", "address", PLEDGE)
    assert ExitCode.USAGE == made.jrc(*command).code
    assert ExitCode.USAGE == made.jrc(*command, "2001:db8::1", "--clear").code
    done = made.jrc(*command, "zz")
    assert (ExitCode.USAGE, "") == (done.code, done.out)
    assert "error: address: 'zz' is no IPv6 address\nhint: write it as 2001:db8" in done.err
    done = made.jrc(*command, "ff02::1")
    assert (ExitCode.FAILED, True) == (done.code, "is a multicast address" in done.err)
    done = made.jrc(*command, "2001:db8::7")
    assert (ExitCode.REFUSED, True) == (done.code, "has not joined" in done.err)
    assert ExitCode.REFUSED == made.jrc(*command, "--clear").code
