"""The forms of an import file: all say the same, under the names that a vendor gave."""

import csv
import io
import json
import tracemalloc
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import cbor2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jrc.errors import ExitCode, OperatorError
from jrc.model import Profile
from jrc.service import import_cbor, import_yaml
from jrc.service.applicants import Applicant
from jrc.service.import_cbor import SELF_DESCRIBED
from jrc.service.import_fields import applicant_of
from jrc.service.import_file import Format, read_rows
from jrc.service.import_rows import BYTE_COLUMNS, COLUMNS, Names, Row, RowError

EUI = "00124b0000000001"
PSK = "8c1d5f0ba7e34296d8317cb05efa6921"
Fields = Mapping[str, str]


def read(data: bytes, form: Format | None = None, **mapped: str) -> list[Row | RowError]:
    names = Names({name.replace("_", " "): column for name, column in mapped.items()})
    return list(read_rows([data], form, names))


def csv_of(rows: Sequence[Fields], delimiter: str = ",") -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def json_of(rows: Sequence[Fields]) -> bytes:
    return json.dumps(list(rows)).encode()


def lines_of(rows: Sequence[Fields]) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in rows)


def packed(row: Fields) -> dict[str, object]:
    """With bytes in the place of hex, and numbers, as a program writes CBOR."""
    numbers = ("ssn_start", "recv_start")
    return {
        name: bytes.fromhex(text)
        if name in BYTE_COLUMNS
        else int(text)
        if name in numbers
        else text
        for name, text in row.items()
    }


def cose_of(rows: Sequence[Fields]) -> bytes:
    """COSE_Keys, with the columns that COSE has no label for as text; they need a PSK."""
    labels: dict[str, int | str] = {"pledge_id": 2, "psk": -1}
    return cbor2.dumps(
        [{1: 4, **{labels.get(name, name): v for name, v in packed(row).items()}} for row in rows]
    )


FORMS: dict[str, tuple[Format | None, Callable[[Sequence[Fields]], bytes]]] = {
    "comma": (Format.CSV, csv_of),
    "semicolon": (None, lambda rows: csv_of(rows, ";")),
    "tab": (None, lambda rows: csv_of(rows, "\t")),
    "json": (None, json_of),
    "json lines": (None, lines_of),
    "cbor": (Format.CBOR, lambda rows: cbor2.dumps([packed(row) for row in rows])),
    "described cbor": (None, lambda rows: SELF_DESCRIBED + cbor2.dumps(list(rows))),
    "yaml": (None, lambda rows: yaml.safe_dump(list(rows), allow_unicode=True).encode()),
    "yaml flow": (
        Format.YAML,
        lambda rows: "".join(f"- {json.dumps(row, ensure_ascii=False)}\n" for row in rows).encode(),
    ),
    "yaml documents": (
        None,
        lambda rows: yaml.safe_dump_all(list(rows), explicit_start=True, width=20).encode(),
    ),
    "cbor sequence": (None, lambda rows: b"".join(cbor2.dumps(packed(row)) for row in rows)),
}

hexed = st.binary(min_size=16, max_size=16).map(bytes.hex)
words = st.text(st.characters(blacklist_categories=("C", "Z")), min_size=1, max_size=12)
NUMBERS = st.integers(0, 2**40 - 1).map(str)
KEYS = st.one_of(
    st.fixed_dictionaries({"psk": st.binary(min_size=16, max_size=64).map(bytes.hex)}),
    st.fixed_dictionaries(
        {
            "pledge_sender_key": hexed,
            "pledge_recipient_key": hexed,
            "common_iv": st.binary(min_size=13, max_size=13).map(bytes.hex),
        }
    ),
)
DETAILS = st.fixed_dictionaries(
    {"pledge_id": st.binary(min_size=1, max_size=248).map(bytes.hex)},
    optional={
        "network": st.sampled_from(["lab", "lab;hall"]),
        "role": st.sampled_from(["6ln", "6lbr"]),
        "label": words,
        "profile": st.sampled_from([each.value for each in Profile]),
        "aead": st.sampled_from(["10", "1", "A128GCM"]),
        "hkdf": st.sampled_from(["-10", "-11", "HKDF SHA-512"]),
        "used_before": st.sampled_from(["yes", "no"]),
        "key_check": st.binary(min_size=4, max_size=4).map(bytes.hex),
        "ssn_start": NUMBERS,
        "recv_start": NUMBERS,
    },
)
PLEDGES = st.lists(st.tuples(DETAILS, KEYS).map(lambda both: {**both[0], **both[1]}), min_size=1)


def applicants(entries: Sequence[Row | RowError]) -> list[Applicant]:
    found = []
    for number, entry in enumerate(entries):
        assert isinstance(entry, Row)
        applicant, faults = applicant_of(Row(number, entry.fields), "file")
        assert applicant is not None, faults
        found.append(applicant)
    return found


@given(PLEDGES)
def test_every_form_gives_back_the_same_pledges(pledges: list[Fields]) -> None:
    """What is written as CSV, JSON, JSON lines, YAML or CBOR is read as it was."""
    for name, (form, write) in FORMS.items():
        entries = read(write(pledges), form)
        assert [entry.fields for entry in entries if isinstance(entry, Row)] == pledges, name
        assert len(applicants(entries)) == len(pledges)


@given(PLEDGES)
def test_cose_keys_give_back_what_has_a_psk(pledges: list[Fields]) -> None:
    """A set of them, or one after the other; the form is told by the first."""
    some = [row for row in pledges if "psk" in row]
    whole = cose_of(some)
    single = b"".join(cbor2.dumps(key) for key in cbor2.loads(whole))
    for data, form in ((whole, None), (whole, Format.COSE), (single, None)):
        if some:
            entries = read(data, form)
            assert [each.fields for each in entries if isinstance(each, Row)] == some
            assert len(applicants(entries)) == len(some)


def test_a_cose_key_may_say_what_it_is_for() -> None:
    """RFC 9052 §7.1: `alg` names OSCORE's algorithm, `key_ops` that keys are derived from it."""
    key: dict[int | str, object] = {1: 4, 2: bytes.fromhex(EUI), -1: bytes.fromhex(PSK)}
    bare = {"pledge_id": EUI, "psk": PSK}
    said = [{**key, 3: 10}, {**key, 3: -11}, {**key, 4: [7, 8]}, {**key, "network": ["a", "b"]}]
    assert read(cbor2.dumps(said)) == [
        Row(1, {**bare, "aead": "10"}),
        Row(2, {**bare, "hkdf": "-11"}),
        Row(3, bare),
        Row(4, {**bare, "network": "a;b"}),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "00124b00",
        "0x10",
        "1e5",
        "0o17",
        "12_000",
        "12:34:56",
        "2026-01-01",
        "yes",
        "No",
        "0b1",
        ".5",
    ],
)
def test_yaml_values_are_the_text_that_stands_there(text: str) -> None:
    """An identifier without quotes is never a number, a date or a truth; quotes change nothing."""
    for shown in (text, f'"{text}"', f"'{text}'"):
        assert read(f"- pledge_id: {shown}\n  label: {shown}\n".encode()) == [
            Row(1, {"pledge_id": text, "label": text})
        ]


def test_yaml_may_leave_values_out_and_say_more() -> None:
    """Null in each of its spellings, truth where a column takes it, a list of networks."""
    data = b"""\
%YAML 1.2
---
# Batch 7.
- pledge_id: 01
  label: ~
  role:
  profile: null
  used_before: True

  network:
    - lab
    - hall  # the second
# The next one.
- {pledge_id: "02", network: [lab], used_before: "no",
   label: 'it''s'}
---
pledge_id: 03
label: "null"
...
"""
    assert read(data) == [
        Row(4, {"pledge_id": "01", "used_before": "yes", "network": "lab;hall"}),
        Row(14, {"pledge_id": "02", "network": "lab", "used_before": "no", "label": "it's"}),
        Row(17, {"pledge_id": "03", "label": "null"}),
    ]


def test_a_wrong_row_of_yaml_spoils_no_other() -> None:
    """A quote that is not closed ends where the next entry begins."""
    data = b'- pledge_id: "01\n- pledge_id: 02\n-\n  - x\n- pledge_id: 03\n'
    assert [(type(each), each[0]) for each in read(data)] == [
        (RowError, 1), (Row, 2), (RowError, 3), (Row, 5),
    ]  # fmt: skip


@pytest.mark.parametrize("path", sorted(Path(__file__).parent.glob("malformed/*.yaml")))
def test_both_parsers_of_pyyaml_say_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one in C is there only where libyaml is."""
    data = path.read_bytes()
    found = read(data, Format.YAML)
    monkeypatch.setattr(import_yaml, "_LOADER", yaml.SafeLoader)
    theirs = read(data, Format.YAML)
    assert [each[:2] for each in found] == [each[:2] for each in theirs]


@pytest.mark.parametrize(
    ("row", "count"), [(f"- pledge_id: {EUI}\n  psk: {PSK}\n", 6000), ("a: b\n" * 12, 1)]
)
def test_a_yaml_file_takes_no_more_memory_than_a_row(row: str, count: int) -> None:
    """However many rows it has, or one that never ends; nothing is kept but what is read."""
    tracemalloc.start()
    try:
        pieces = (row.encode() * 100 for _ in range(60))
        assert sum(1 for _ in read_rows(pieces, Format.YAML)) == count
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 20 * 65_536


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_cbor_may_come_in_pieces_of_any_size(size: int) -> None:
    """An array, or maps one after the other (RFC 8742); rows have numbers for lines."""
    row = {"pledge_id": bytes.fromhex(EUI), "psk": PSK, "network": ["a", "b"], "aead": 10,
           "used_before": True, "role": None, "label": "T\u00fcr"}  # fmt: skip
    fields = {"pledge_id": EUI, "psk": PSK, "network": "a;b", "aead": "10", "used_before": "yes",
              "label": "T\u00fcr"}  # fmt: skip
    for data in (cbor2.dumps([row, row]), cbor2.dumps(row) * 2):
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert list(read_rows(pieces)) == [Row(1, fields), Row(2, fields)]


def test_a_long_row_of_cbor_that_comes_byte_by_byte_is_not_read_for_each_of_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It would be read sixty thousand times, and it is whole at the file's end all the same."""
    looks: list[int] = []
    whole = import_cbor._map

    def looked(data: bytes, pos: int) -> object:
        looks.append(pos)
        return whole(data, pos)

    monkeypatch.setattr(import_cbor, "_map", looked)
    data = cbor2.dumps({"pledge_id": b"\x01", "label": "x" * 20_000})
    chunks = (data[at : at + 1] for at in range(len(data)))
    (row,) = read_rows(chunks, Format.CBOR)
    assert isinstance(row, Row)
    assert 20_000 == len(row.fields["label"])
    assert len(looks) < 40


def test_a_wrong_row_of_cbor_spoils_no_other() -> None:
    """As in JSON lines; only a fault in the CBOR itself ends the file."""
    rows = [{"pledge_id": EUI}, ["x"], {"pledge_id": 5, "pks": ""}, {"pledge_id": EUI}]
    assert read(cbor2.dumps(rows)) == [
        Row(1, {"pledge_id": EUI}),
        RowError(2, "", "a row is a CBOR map"),
        RowError(3, "pledge_id", "the value is no string"),
        RowError(3, "", "unknown column 'pks'; did you mean psk?"),
        Row(4, {"pledge_id": EUI}),
    ]


def test_names_of_a_vendor_are_mapped_in_every_form() -> None:
    """Whatever their case and the blanks around them; those mapped to nothing are left out."""
    mapped = {"Device_EUI": "pledge_id", "key": "psk", "Serial_No": ""}
    row = {" device eui ": EUI, "KEY": PSK, "serial no": "7", "Label": "x"}
    head = ";".join(row)
    for data in (
        f"{head}\n{';'.join(row.values())}\n".encode(),
        json.dumps([row]).encode(),
        json.dumps(row).encode(),
        cbor2.dumps(row),
    ):
        (found,) = read(data, None, **mapped)
        assert found[1] == {"pledge_id": EUI, "psk": PSK, "label": "x"}


def test_a_name_that_is_neither_ours_nor_mapped_is_refused_by_name() -> None:
    """Else a mistyped column would be lost without a word."""
    data = f"Device EUI,psk,Serial\n{EUI},{PSK},7\n".encode()
    fault, row = read(data, Device_EUI="pledge_id")
    assert fault == RowError(
        1,
        "",
        "unknown column 'Serial'",
        "--map THEIRS=OURS names it, --map THEIRS= leaves it out",
    )
    assert isinstance(row, Row)
    assert not row.is_whole


def test_two_names_for_one_column_are_refused() -> None:
    """A vendor's key beside ours: nobody knows which one is right."""
    data = f"pledge_id,psk,Key\n{EUI},{PSK},{PSK}\n".encode()
    assert read(data, key="psk")[0] == RowError(1, "", "the column psk is there twice")
    found = read(json.dumps({"pledge_id": EUI, "psk": PSK, "Key": PSK}).encode(), key="psk")
    assert found == [RowError(1, "", "the column psk is there twice")]


def test_a_name_that_is_ours_may_stand_for_something_else() -> None:
    """A vendor's `label` may hold the identifier."""
    (row,) = read(f"label;psk\n{EUI};{PSK}\n".encode(), label="pledge_id")
    assert row[1] == {"pledge_id": EUI, "psk": PSK}


def test_a_name_that_is_mapped_twice_in_another_case_is_refused() -> None:
    """One of the two would win without a word; the same twice does no harm."""
    with pytest.raises(OperatorError, match="'Key' is there twice, in another case"):
        Names({"key": "psk", "Key": "label"})
    assert "psk" == Names({"key": "psk", "KEY": "psk"}).column("Key")


def test_a_map_to_no_column_is_refused() -> None:
    """With the column that may have been meant."""
    with pytest.raises(OperatorError, match="no column 'pks'; did you mean psk") as caught:
        Names({"Key": "pks"})
    assert caught.value.exit_code is ExitCode.USAGE


def test_numbers_for_the_device_are_read_and_not_stored() -> None:
    """`ssn_start` and `recv_start` are for its build; the registrar has its own."""
    row = Row(2, {"pledge_id": EUI, "psk": PSK, "ssn_start": "16777216", "recv_start": "0"})
    bare = Row(2, {"pledge_id": EUI, "psk": PSK})
    assert applicant_of(row, "f.csv") == applicant_of(bare, "f.csv")


@pytest.mark.parametrize("text", ["0x" + EUI, "00:12:4b:00:00:00:00:01", "00-12-4B-00-00-00-00-01"])
def test_identifiers_are_read_as_vendors_write_them(text: str) -> None:
    """Hex with 0x, colons or dashes."""
    applicant, _ = applicant_of(Row(2, {"pledge_id": text, "psk": PSK}), "f.csv")
    assert applicant is not None
    assert str(applicant.identifier) == EUI
