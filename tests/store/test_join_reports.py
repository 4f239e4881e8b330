"""What pledges say they can not act upon, on disk (RFC 9031 §8.4.5, row C7)."""

import cbor2
import pytest

from tests.desk import Desk
from tests.joining import Hall, hall_at


def report(label: int, value: str, code: int = 0) -> bytes:
    """A Join Request that says what could not be set."""
    return (
        bytes.fromhex("a20542cafe0883")
        + cbor2.dumps(code)
        + cbor2.dumps(label)
        + bytes.fromhex(value)
    )


def test_c07_a_report_is_kept_and_what_it_names_is_left_out(desk: Desk) -> None:
    """RFC 9031 §8.4.5: from the same answer on, until it is cleared."""
    desk.network(join_rate_bytes_per_s=50)
    with hall_at(desk) as hall:
        pledge = hall.enroll()
        assert 50 == hall.join(pledge).join_rate_bytes_per_s
        assert hall.join(pledge, report(7, "f6")).join_rate_bytes_per_s is None
        events = desk.sql("SELECT count(*) FROM event WHERE kind = 'pledge.reported'")
        assert hall.join(pledge).join_rate_bytes_per_s is None
        assert hall.join(pledge, report(7, "f6")).join_rate_bytes_per_s is None
        again = desk.sql("SELECT count(*) FROM event WHERE kind = 'pledge.reported'")
        assert [(1,)] == events == again, "what is known is not written again"
        assert [(1, 7, 0, None, desk.now_ms)] == desk.sql("SELECT * FROM unsupported_parameter")


def test_c07_a_report_with_a_value_is_kept_with_it(hall: Hall) -> None:
    """And leaves the parameter in."""
    pledge = hall.enroll()
    assert hall.join(pledge, report(3, "420042", code=1)).short_identifier is not None
    assert [(3, 1, bytes.fromhex("420042"))] == hall.desk.sql(
        "SELECT label, code, addinfo FROM unsupported_parameter"
    )


@pytest.mark.parametrize("code", [2**64 - 1, 2**63, -(2**63) - 1, -(2**64)])
@pytest.mark.parametrize("label", [7, 2**64 - 1, 0, -7])
def test_c07_numbers_that_no_column_holds_do_no_harm(hall: Hall, code: int, label: int) -> None:
    """RFC 9031 §11.3: any CBOR integer may come as a code or label."""
    assert hall.join(hall.enroll(), report(label, "f6", code)).keys


def test_c07_reports_are_bounded(hall: Hall) -> None:
    """Of labels that are never configured, or with much addinfo, nothing is stored."""
    pledge = hall.enroll()
    hall.join(pledge, report(9, "f6"))
    hall.join(pledge, report(0, "f6"))
    hall.join(pledge, report(3, "590201" + 513 * "00"))
    assert [(0,)] == hall.desk.sql("SELECT count(*) FROM unsupported_parameter")
    hall.join(pledge, report(3, "5901fd" + 509 * "00"))
    assert [(1,)] == hall.desk.sql("SELECT count(*) FROM unsupported_parameter")


def test_c07_a_report_with_a_value_takes_no_null_back(hall: Hall) -> None:
    """RFC 9031 §8.4.5: what can't be acted upon at all stays left out; keys are never sent then."""
    pledge = hall.enroll()
    assert hall.join(pledge, report(3, "f6")).short_identifier is None
    assert hall.join(pledge, report(3, "420042", code=1)).short_identifier is None
    assert hall.join(pledge).short_identifier is None
    assert [(3, None)] == hall.desk.sql("SELECT label, addinfo FROM unsupported_parameter")
