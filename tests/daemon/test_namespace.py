"""What takes more addresses than loopback has: in a network namespace, where one can be made."""

from typing import Any

import pytest

from tests.daemon.namespace import COPIES, OTHER, THIRD
from tests.daemon.wire import LOOPBACK
from tests.unshared import needs_namespace, run_inside

pytestmark = needs_namespace


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What ``tests.daemon.namespace`` saw."""
    folder = tmp_path_factory.mktemp("namespace") / "site"
    return run_inside("tests.daemon.namespace", str(folder))


def test_c13_an_answer_leaves_from_the_address_that_was_asked(found: dict[str, Any]) -> None:
    """RFC 7252 §5.3.2: also where one socket listens on all of them."""
    assert [True, True, True] == found["from_where_asked"]


def test_b10_a_request_to_a_group_is_silent(found: dict[str, Any]) -> None:
    """RFC 7252 §11.3: although it would verify."""
    assert {"heard": 0, "multicast": 1} == found["group"]


def test_c11_copies_are_answered_whoever_has_asked_before(found: dict[str, Any]) -> None:
    """Else a faster eavesdropper would take the answers of a pledge's Join Proxy."""
    assert {LOOPBACK: COPIES, OTHER: COPIES, THIRD: COPIES} == found["copies"]
    assert found["joined"]
