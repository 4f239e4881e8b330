"""What is said of a registrar at a glance."""

from jrc.model import ShortIdRange
from jrc.service.survey import Survey, survey
from tests.desk import Desk
from tests.joining import lease_row


def test_f03_a_range_that_runs_low_is_said_in_time(desk: Desk) -> None:
    """RFC 9031 §8.4.4.1: when a tenth of it is left, with what is left; burned values count."""
    desk.network("lab", short_ids=ShortIdRange(0x10, 0x19))
    desk.network("hall", b"\x01", prefix="2001:db8:1::/64")
    for number in range(1, 10):
        desk.pledge(number, networks=("lab",))
        assert desk.read(survey).low == ()
        lease_row(desk, 0x0F + number, number, 1, released=number == 1)
    (events,) = desk.sql("SELECT count(*) FROM event")
    assert desk.read(survey) == Survey(
        events=int(str(events[0])),
        networks=("hall", "lab"),
        pledges={"provisioned": 9},
        short_ids_left={"hall": 0x7FFF, "lab": 1},
        low=("lab",),
        key_warnings=(
            (
                "file is the only key slot: if its key is lost, so are all stored keys;"
                " make one that is kept offline: jrc keys add recovery paper"
            ),
        ),
    )
