"""Whom a network lets in: the whole table."""

from itertools import product

import cbor2
import pytest

from jrc.errors import Reason
from jrc.model import Admission
from jrc.policy.admission import Gate, gate, outside_window

KNOWN, WINDOW, APPROVAL = Admission.KNOWN, Admission.WINDOW, Admission.APPROVAL
TABLE = {
    # (kind, was admitted, waits, window is open): what becomes of the request
    **{(KNOWN, *rest): Gate.OPEN for rest in product((False, True), repeat=3)},
    **{(kind, True, *rest): Gate.OPEN
       for kind in (WINDOW, APPROVAL) for rest in product((False, True), repeat=2)},
    (WINDOW, False, False, False): Gate.SHUT,
    (WINDOW, False, True, False): Gate.SHUT,
    (WINDOW, False, False, True): Gate.COUNT,
    (WINDOW, False, True, True): Gate.COUNT,
    (APPROVAL, False, False, False): Gate.ASK,
    (APPROVAL, False, False, True): Gate.ASK,
    (APPROVAL, False, True, False): Gate.WAIT,
    (APPROVAL, False, True, True): Gate.WAIT,
}  # fmt: skip


def test_the_table_is_whole() -> None:
    """A kind of admission that is added has to say what it does."""
    assert set(product(Admission, *[(False, True)] * 3)) == set(TABLE)


@pytest.mark.parametrize(("case", "expected"), TABLE.items())
def test_who_may_join_is_the_networks_to_say(
    case: tuple[Admission, bool, bool, bool], expected: Gate
) -> None:
    """RFC 9031 §8.4.1 leaves it to the JRC; who was let in once comes in again."""
    kind, was_admitted, waits, window_is_open = case
    assert expected is gate(
        kind, was_admitted=was_admitted, waits=waits, window_is_open=window_is_open
    )


@pytest.mark.parametrize("asked", [b"\xca\xfe", b"\xfe\xca", bytes(8)])
def test_c06_outside_a_window_the_identifier_comes_back(asked: bytes) -> None:
    """Code 0, label 5 and the identifier that was asked for (RFC 9031 §8.4.1, §8.4.5)."""
    refused = outside_window(asked)
    assert (Reason.WINDOW_CLOSED, [0, 5, asked]) == (refused.reason, cbor2.loads(refused.payload))
