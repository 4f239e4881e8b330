"""Backups of a database: one moment of it, sealed, and known as the registrar's own."""

import io
from pathlib import Path
from threading import Event

import cbor2
import pytest
from pyrage import x25519

from jrc.errors import OperatorError, StateError
from jrc.model import Condition, Secret
from jrc.service.backups import BackupWish
from jrc.store.backup import container, seal
from jrc.store.backup.container import Header, read_header
from jrc.store.backup.content import ContentReader, Head, Ignored, mac_of, read_content
from jrc.store.backup.dump import Pace, sealed_dump
from jrc.store.backup.examine import Examined, examine_backup
from jrc.store.backup.frames import FrameReader, compressed, encoded
from jrc.store.backup.keys import opener
from jrc.store.rowmac import RowMac
from jrc.store.schema import SCHEMA_REVISION, metadata
from tests.desk import Desk, pledge_id
from tests.joining import Hall
from tests.store.backups import KEYS, bytes_of, made


def opened(raw: bytes, identity: Secret, *, header: Header | None = None) -> Head:
    """The head of a backup, all of which was read."""
    file = io.BytesIO(raw)
    found = read_header(file, "b")
    return read_content(file, header or found, [identity], Ignored(), "b").head


def examined(raw: bytes, identity: Secret) -> Examined:
    """A look through all of it."""
    file = io.BytesIO(raw)
    return examine_backup(file, read_header(file, "b"), [identity], "b", KEYS)


def forged(
    desk: Desk, *, head: dict[str, object] | None = None, mac: RowMac | None = None
) -> bytes:
    """A backup that whoever has the recipient alone can make, and its identity's text."""
    raw, identity = bytes_of(desk)
    file = io.BytesIO(raw)
    header = read_header(file, "b")
    frames: list[bytes] = []
    reader = FrameReader(lambda _content, frame: frames.append(frame))
    seal.decrypt(file, reader.feed, [identity], "b")
    told = cbor2.loads(frames[0])[1] | (head or {})
    tables = {name: tuple(each) for name, each in cbor2.loads(frames[-1])[1].items()}
    first = encoded("head", told)
    key = mac or desk.database.mac
    last = encoded("end", tables, mac_of(key, first, tables))
    out = io.BytesIO()
    out.write(header.encoded())
    seal.encrypt(compressed([first, *frames[1:-1], last]), out.write, [recipient_of(identity)])
    return out.getvalue() + b"\n" + identity.reveal()


def recipient_of(identity: Secret) -> str:
    return str(x25519.Identity.from_str(identity.reveal().decode()).to_public())


def split(raw: bytes) -> tuple[bytes, Secret]:
    backup, _, identity = raw.rpartition(b"\n")
    return backup, Secret(identity)


def test_every_table_is_in_it_with_every_row(lab: Desk, tmp_path: Path) -> None:
    """A table that is left out would be empty after a restore."""
    lab.pledge(1)
    found = made(lab, tmp_path / "b").examined()
    assert set(metadata.tables) == set(found.seal.tables)
    for name, (rows, _) in found.seal.tables.items():
        assert lab.sql(f"SELECT count(*) FROM {name}") == [(rows,)], name
    assert found.seal.is_ours(lab.database.mac)
    assert ({"provisioned": 1}, None, 0, None) == (
        found.pledges,
        found.key_error,
        found.damaged_rows,
        found.broken_event,
    )


def test_it_is_of_one_moment_while_the_database_is_written(hall: Hall) -> None:
    """What commits after the dump has begun is not in it, not even in tables that come late."""
    before = hall.enroll(1)
    hall.join(before)
    others = iter(range(2, 400))

    def join_another() -> None:
        hall.join(hall.enroll(next(others)))

    raw, identity = bytes_of(hall.desk, meanwhile=join_another)
    found = examined(raw, identity)
    assert {"provisioned": 1} == found.pledges
    tables = {name: found.seal.tables[name][0] for name in ("context_state", "node", "credential")}
    assert {"context_state": 1, "node": 1, "credential": 1} == tables
    assert hall.desk.sql("SELECT count(*) > 20 FROM node") == [(1,)]


def test_no_secret_is_in_the_clear_even_inside_the_seal(lab: Desk) -> None:
    """A stolen backup whose passphrase is known has no key: the slot key is not in it."""
    _, psk = lab.pledge(1)
    raw, identity = bytes_of(lab)
    content = io.BytesIO()
    file = io.BytesIO(raw)
    read_header(file, "b")
    seal.decrypt(file, content.write, [identity], "b")
    frames: list[bytes] = []
    FrameReader(lambda _content, frame: frames.append(frame)).feed(content.getvalue())
    clear = b"".join(frames)
    assert pledge_id(1).value in clear
    assert psk not in clear
    keys = lab.database.keyring
    assert keys.fingerprint(psk) in clear


def test_the_header_says_what_opens_it_and_no_more(lab: Desk) -> None:
    """Without a passphrase there is no identity in it."""
    raw, _ = bytes_of(lab)
    use = b"unused".ljust(32)
    assert raw.startswith(b"jrc-backup 1\nuse: " + use + b"\n\nage-encryption.org/v1\n")


def test_another_identity_is_one_sentence(lab: Desk) -> None:
    """It names the option to use."""
    raw, _ = bytes_of(lab)
    other, _ = seal.new_identity()
    with pytest.raises(OperatorError, match="sealed for other keys"):
        opened(raw, other)


def test_a_later_format_of_the_file_is_refused(lab: Desk) -> None:
    """Read as far as its first line."""
    raw, identity = bytes_of(lab)
    with pytest.raises(OperatorError, match="format 2, and this version of jrc knows 1"):
        opened(raw.replace(b"jrc-backup 1", b"jrc-backup 2", 1), identity)


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ({"format": 2}, "format 2, and this version of jrc knows 1"),
        (
            {"schema": "9999"},
            f"schema 9999 by jrc .*, and this version works with {SCHEMA_REVISION}",
        ),
        ({"schema": 1}, "a field of the wrong type"),
        ({"more": 1}, "other fields than it should"),
        ({"slots": [1]}, "a field of the wrong type"),
        ({"header_digest": bytes(32)}, "its header was changed"),
    ],
)
def test_a_head_that_this_version_does_not_know_is_refused(
    lab: Desk, head: dict[str, object], says: str
) -> None:
    """Also where it authenticates."""
    raw, identity = split(forged(lab, head=head))
    with pytest.raises(OperatorError, match=says):
        opened(raw, identity)


def test_whoever_has_the_recipient_alone_can_make_no_backup_of_ours(lab: Desk) -> None:
    """The MAC is made with the database's own key: threat T14 by way of the backup."""
    raw, identity = split(forged(lab, mac=RowMac(bytes(32))))
    assert opened(raw, identity).schema == SCHEMA_REVISION
    with pytest.raises(OperatorError, match="not made by the registrar whose database it holds"):
        examined(raw, identity)
    raw, identity = split(forged(lab))
    assert examined(raw, identity).key_error is None


def test_another_slot_key_is_named_before_anything_else_is_done(lab: Desk) -> None:
    """With the slots that there are."""
    raw, identity = bytes_of(lab)
    file = io.BytesIO(raw)
    header = read_header(file, "b")
    found = examine_backup(file, header, [identity], "b", opener(Secret(bytes(32))))
    assert found.key_error is not None
    assert "opens no slot" in found.key_error.message
    assert "file" in found.key_error.message
    assert (None, 0) == (found.damaged_rows, len(found.damaged_names))


def test_rows_that_were_damaged_before_are_counted(hall: Hall, tmp_path: Path) -> None:
    """The backup is whole; what is in it was not."""
    hall.join(hall.enroll(1))
    hall.desk.sql("UPDATE context_state SET highest = 7")
    hall.desk.sql("UPDATE event SET reason = 'because' WHERE number = 2")
    found = made(hall.desk, tmp_path / "b").examined()
    assert (1, ["context_state 1"], 2) == (
        found.damaged_rows,
        found.damaged_names,
        found.broken_event,
    )


def test_a_final_backup_is_of_a_database_that_was_moved(lab: Desk) -> None:
    """Else it would go on in two places."""
    _, recipient = seal.new_identity()
    wish = BackupWish((recipient,), Header().digest, is_final=True)
    with pytest.raises(StateError, match="was moved"):
        sealed_dump(lab.database, lambda _piece: None, wish, lab.now_ms)


def test_nothing_commits_after_the_final_backup_has_begun(hall: Hall) -> None:
    """A join that waits behind it gets no answer: it would not be in the backup."""
    pledge = hall.enroll(1)
    late = pledge.request(bytes.fromhex("a10542cafe"))
    raw, identity = bytes_of(hall.desk, is_final=True)
    assert opened(raw, identity).is_final
    assert hall.desk.read(lambda tx: tx.database.condition) is Condition.MOVED
    assert hall.ask(late) is None
    with pytest.raises(OperatorError, match="moved"):
        hall.desk.pledge(2)


def test_a_pace_rests_for_what_the_joins_are_left() -> None:
    """A quarter of the time is three times as long a rest."""
    times, rests = iter([0.0, 2.0, 8.0, 9.0, 12.0]), list[float]()
    pace = Pace(0.25, rests.append, lambda: next(times))
    for _ in range(3):
        pace()
    assert [6.0, 3.0] == rests


def test_a_pace_rests_for_work_and_not_for_what_it_waits_for() -> None:
    """Its turn among threads that compute comes the later the more joins there are."""
    rests = list[float]()
    pace, waiting = Pace(0.25, rests.append), Event()
    pace()
    waiting.wait(0.05)
    pace()
    assert rests[0] < 3 * 0.05


def test_a_frame_is_read_whatever_the_pieces_are() -> None:
    """One byte at a time."""
    found: list[object] = []
    reader = FrameReader(lambda content, _frame: found.append(content))
    for piece in compressed([encoded("a", 1), encoded("b", b"\x00" * 70_000)]):
        for at in range(len(piece)):
            reader.feed(piece[at : at + 1])
    reader.end()
    assert [["a", 1], ["b", b"\x00" * 70_000]] == found


def test_frames_that_are_cut_off_are_noticed() -> None:
    """Also where the rest is the checksum of what is compressed, and no frame."""
    pieces = b"".join(compressed([encoded("a", 1), encoded("b", 2)]))
    for length in range(len(pieces)):
        reader = FrameReader(lambda _content, _frame: None)
        reader.feed(pieces[:length])
        with pytest.raises(ValueError, match="its end is missing"):
            reader.end()


@pytest.mark.parametrize(
    ("frames", "says"),
    [
        ([encoded("rows", [[1]])], "head is not where"),
        ([encoded("head", {}), encoded("head", {})], "other fields"),
        ([b"\x00"], "no CBOR array"),
        ([b"\xff"], "no CBOR"),
        ([b"\x81\x01\x01"], "no CBOR array"),
    ],
)
def test_frames_in_the_wrong_order_are_none(frames: list[bytes], says: str) -> None:
    """Whoever could seal them: the sealing does not say that they make sense."""
    contents = ContentReader(Ignored(), Header(), "b")
    reader = FrameReader(contents.take)
    pieces = b"".join(compressed(frames))
    with pytest.raises(ValueError, match=says):
        reader.feed(pieces)


def test_the_mark_of_use_is_the_one_line_that_may_change(lab: Desk, tmp_path: Path) -> None:
    """It is read back, and the backup is still whole."""
    backup = made(lab, tmp_path / "b")
    before = backup.path.read_bytes()
    container.mark_spent(backup.path, bytes(16))
    after = backup.path.read_bytes()
    assert len(before) == len(after)
    assert (False, True) == (
        read_header(io.BytesIO(before), "b").is_spent,
        backup.examined().header.is_spent,
    )
