"""What is sealed is looked at row by row before."""

import cbor2
import pytest

from jrc.handover import rows
from jrc.handover.rows import import_file, row_count, unpacked
from jrc.model import Secret
from jrc.service.import_file import Format, read_rows
from jrc.service.import_prepared import PreparedRow, prepare
from jrc.service.import_rows import Row, RowError
from tests.handover.making import PSKS, ROWS, packing

DERIVED = (
    "0d9201ba2ed1a09021fad68c191c784e",
    "4ad3e646c8ba7c5c86da72a0a775078f",
    "da79295561aac8af3d084011f4",
)


def _columns(faults: list[RowError]) -> list[tuple[int, str]]:
    return [(fault.line, fault.column) for fault in faults]


def test_keys_are_packed_as_bytes_and_the_rest_as_it_stands() -> None:
    """As an import takes CBOR, in the order of the file."""
    header = "pledge_id,psk,network,label,role,provenance"
    packed = packing([f"{ROWS[0]},lab;hall,lamp,6ln,generate"], header)
    assert packed.faults == []
    (row,) = cbor2.loads(packed.content().reveal())
    assert row == {
        "pledge_id": bytes.fromhex("00124b0014b5b601"),
        "psk": bytes.fromhex(PSKS[0]),
        "network": "lab;hall",
        "label": "lamp",
        "role": "6ln",
        "provenance": "handover",
    }


def test_derived_keys_are_packed_as_such() -> None:
    """RFC 9031 App. B: there is no PSK to be sealed."""
    header = "pledge_id,pledge_sender_key,pledge_recipient_key,common_iv"
    packed = packing([",".join(("00124b0014b5b67e", *DERIVED))], header)
    (row,) = cbor2.loads(packed.content().reveal())
    assert [row[name].hex() for name in header.split(",")[1:]] == list(DERIVED)
    assert "psk" not in row


def test_what_is_packed_is_what_an_import_makes_of_the_file() -> None:
    """Prepared before and after, the rows are the same but for their provenance."""
    text = "pledge_id,psk,role,label\n" + "\n".join(f"{row},6lbr,x" for row in ROWS)
    before = [prepare(row, allow_weak=False) for row in read_rows([text.encode()])]
    packed = packing([f"{row},6lbr,x" for row in ROWS], "pledge_id,psk,role,label")
    after = [prepare(row, allow_weak=False) for row in unpacked(packed.content())]
    assert all(isinstance(row, PreparedRow) for row in [*before, *after])
    expected = [row._replace(provenance="handover", line=row.line - 1) for row in before]  # type: ignore[call-arg]
    assert after == expected


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("00124b0014b5b603,00", "psk"),
        ("00124b0014b5b603,deadbeefcafedeadbeefcafedeadbeef", "psk"),
        ("00124b0014b5b603,", "psk"),
        ("x,c04be19d2f7648a1a35d9e70b8621f4d", "pledge_id"),
        (f"00124b0014b5b603,{PSKS[0]}", "psk"),
        ("00124b0014b5b601,c04be19d2f7648a1a35d9e70b8621f4d", "pledge_id"),
    ],
)
def test_rows_that_an_import_would_refuse_are_named(row: str, column: str) -> None:
    """Weak keys, missing ones, and those that are there twice; no message has a key."""
    packed = packing([*ROWS, row])
    assert _columns(packed.faults) == [(4, column)]
    assert packed.fault_count == 1
    assert not any(psk in str(packed.faults) for psk in (*PSKS, "deadbeef", "c04be19d"))


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("pledge_sender_key,pledge_recipient_key,common_iv,used_before", [*DERIVED, "yes"]),
        ("psk,used_before,profile", [PSKS[0], "yes", "openwsn"]),
    ],
)
def test_keys_that_no_registrar_can_take_once_used_are_not_sealed(
    header: str, row: list[str]
) -> None:
    """RFC 8613 App. B.2 needs a PSK and firmware that knows it; what the row says is enough."""
    packed = packing([",".join(("00124b0014b5b67e", *row))], f"pledge_id,{header}")
    assert _columns(packed.faults) == [(2, "used_before")]


def test_a_file_of_other_columns_is_at_fault() -> None:
    """As for an import."""
    assert packing(["1,2"], "colour,taste").fault_count > 0


def test_faults_beyond_what_is_told_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has more has the wrong file."""
    monkeypatch.setattr(rows, "MAX_REPORTED", 3)
    packed = packing([f"00124b0014b5b6{n:02x},00" for n in range(9)])
    assert (len(packed.faults), packed.fault_count) == (3, 9)


def test_too_many_rows_are_known_before_they_are_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of a sealed file is in memory."""
    monkeypatch.setattr(rows, "MAX_CONTENT_BYTES", 100)
    assert not packing(ROWS[:1]).is_full
    assert packing(ROWS).is_full


def test_an_import_gets_provenance_and_networks_whatever_a_row_says() -> None:
    """Where pledges may join is the operator's to say."""
    packed = packing([f"{ROWS[0]},lab", f"{ROWS[1]},"], "pledge_id,psk,network")
    found = [entry for entry in unpacked(packed.content()) if isinstance(entry, Row)]
    for networks, expected in ((), ["lab", None]), (["hall", "yard"], ["hall;yard"] * 2):
        raw = b"".join(import_file(found, 2, networks))
        again = [row for row in read_rows([raw], Format.CBOR) if isinstance(row, Row)]
        assert [row.fields.get("network") for row in again] == expected
        assert [row.fields["psk"] for row in again] == list(PSKS)
        assert {row.fields["provenance"] for row in again} == {"handover"}


def test_a_content_that_is_no_array_has_no_rows() -> None:
    """So it is never what a cover announces."""
    for content in (b"", b"\xa0", b"\x9f\xff", b"\x9b\xff"):
        assert row_count(Secret(content)) == 0
    assert row_count(Secret(b"\x98\x20")) == 32
