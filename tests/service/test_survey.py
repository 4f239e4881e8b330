"""What is said of a registrar at a glance."""

from jrc.model import Event, ShortIdRange
from jrc.service.backups import failed_at, note_failure, note_made
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
        network_pledges={"hall": {}, "lab": {"provisioned": 9}},
        short_ids={"hall": 0x7FFF, "lab": 10},
        short_ids_left={"hall": 0x7FFF, "lab": 1},
        low=("lab",),
        key_warnings=(
            (
                "file is the only key slot: if its key is lost, so are all stored keys;"
                " make one that is kept offline: jrc keys add recovery paper"
            ),
        ),
    )


def test_the_last_event_of_a_kind_is_the_newest_one(desk: Desk) -> None:
    """Of a kind that the log does not have there is none."""
    assert "backup.made" not in desk.read(survey).last_events_ms
    for _ in range(2):
        desk.now_ms += 1000
        desk.write(lambda tx: note_made(tx, actor="tester"))
    assert desk.now_ms == desk.read(survey).last_events_ms["backup.made"]


def test_a_backup_has_failed_until_another_one_is_made(desk: Desk) -> None:
    """One that is begun may fail as well; a failure after one that was made is one at once."""

    def failed() -> int | None:
        return failed_at(desk.read(survey).last_events_ms)

    assert failed() is None
    desk.write(lambda tx: note_made(tx, actor="tester"))
    desk.write(lambda tx: note_failure(tx, actor="tester"))
    failed_ms = desk.now_ms
    assert failed() == failed_ms
    desk.now_ms += 1
    desk.write(lambda tx: tx.record(Event("backup.begun", "tester")))
    assert failed() == failed_ms
    desk.write(lambda tx: note_made(tx, actor="tester"))
    assert failed() is None
