"""A registrar on a host whose interfaces change; in a network namespace, where one can be made."""

from typing import Any

import pytest

from jrc.errors import ExitCode
from tests.unshared import needs_namespace, run_inside

pytestmark = needs_namespace


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``tests.daemon.moving`` saw."""
    return run_inside("tests.daemon.moving", str(tmp_path_factory.mktemp("moving") / "site"))


def test_a_scoped_address_is_listened_on_when_its_interface_comes(found: dict[str, Any]) -> None:
    """Each time, without a restart; meanwhile the daemon runs and says what waits."""
    waits = {"waits": ["[fe80::5%late0]:0"]}
    seen = {"late": True, "late_gone": True, "again": True, "again_gone": True}
    assert {**waits, **seen} == found["late"]


def test_c09_the_next_configuration_has_the_address_that_the_interface_has(
    found: dict[str, Any],
) -> None:
    """RFC 9031 §8.4.2: prefix and address follow in one change, which the audit log has."""
    seen = found["renumbered"]
    assert ("fd00:1::1", True, "fd00:2::1") == (seen["first"], seen["follows"], seen["next"])
    changes = {
        "prefix": ["fd00:1::/64", "fd00:2::/64"],
        "jrc_address": ["fd00:1::1", "fd00:2::1"],
    }
    assert ["jrc", "follows interface mesh0", changes] == seen["event"]


def test_c11_a_stored_answer_with_a_former_address_is_not_sent_again(
    found: dict[str, Any],
) -> None:
    """Nobody is told an address that is on no interface any more."""
    assert found["renumbered"]["copy_is_silent"]


def test_a_new_prefix_makes_nodes_join_again_and_the_log_says_how_many(
    found: dict[str, Any],
) -> None:
    """Nothing can be sent to an address that a node no longer has (RFC 9031 §8.2.1)."""
    assert 1 == found["renumbered"]["joined"]
    assert found["said"]["prefix_changed"]


def test_c09_without_an_address_of_its_own_the_registrar_is_silent(found: dict[str, Any]) -> None:
    """RFC 9031 §8.4.2: a Configuration without one would name the 6LBR; joins go on later."""
    assert {"gone": True, "silent": True, "back": True, "told": "fd00:2::1"} == found["removed"]
    assert found["said"]["no_jrc_address"]


def test_an_address_that_goes_and_comes_back_is_listened_on(found: dict[str, Any]) -> None:
    """The socket stays bound to it."""
    seen = found["vanished"]
    assert (True, True) == (seen["waits"], seen["back"])
    lines = dict(line.split("  ", 1) for line in seen["said"].splitlines() if "  " in line)
    said = {
        name: lines[name].strip() for name in ("waits for the address", "interfaces of networks")
    }
    assert {
        "waits for the address": "[::1]:0, [fe80::5%late0]:0",
        "interfaces of networks": "mesh0 up fd00:2::1",
    } == said


def test_a_network_without_a_prefix_is_refused_with_what_to_do(found: dict[str, Any]) -> None:
    """One sentence and a hint; the daemon ended well with all of it."""
    seen = found["refused"]
    assert (ExitCode.REFUSED, 0) == (seen["code"], seen["ended"])
    assert "mesh0 gives no prefix yet (there is no interface of this name)" in seen["says"]
    assert "--prefix PREFIX/64" in seen["says"]
