"""Reading import files: formats, chunks, faults with their lines, flat memory."""

import tracemalloc
from collections.abc import Iterator
from itertools import chain

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.errors import OperatorError
from jrc.service.applicants import UnfitError, network_ids_of
from jrc.service.import_fields import applicant_of
from jrc.service.import_file import Format, format_of, read_rows
from jrc.service.import_rows import MAX_ROW_BYTES, Row, RowError

EUI = "00124b0000000001"
PSK = "8c1d5f0ba7e34296d8317cb05efa6921"


def rows(data: bytes, form: Format | None = None, size: int = 7) -> list[Row | RowError]:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return list(read_rows(pieces, form))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_csv_of_spreadsheets_is_read(delimiter: str, mark: bytes, end: str) -> None:
    """Comma, semicolon or tab; with a byte order mark; either line end; quotes."""
    lines = ["Pledge_ID,psk,network", f'{EUI},"{PSK}","lab"', "", f"{EUI},{PSK},"]
    data = end.join(line.replace(",", delimiter) for line in lines).encode()
    assert rows(mark + data) == [
        Row(2, {"pledge_id": EUI, "psk": PSK, "network": "lab"}),
        Row(4, {"pledge_id": EUI, "psk": PSK}),
    ]


@pytest.mark.parametrize("form", [None, Format.JSON])
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_a_json_array_is_taken_apart_as_it_comes(form: Format | None, size: int) -> None:
    """Each row has its number: an array may stand on one line."""
    data = f"""[
      {{"pledge_id": "{EUI}", "psk": "{PSK}", "network": ["a", "b"], "aead": 10}},
      {{"pledge_id": "{EUI}",
        "label": "T\u00fcr", "role": null}}
    ]"""
    assert rows(data.encode(), form, size) == [
        Row(1, {"pledge_id": EUI, "psk": PSK, "network": "a;b", "aead": "10"}),
        Row(2, {"pledge_id": EUI, "label": "T\u00fcr"}),
    ]


@pytest.mark.parametrize("form", [None, Format.JSON, Format.JSONL])
def test_json_lines_are_read(form: Format | None) -> None:
    """One object a line; a wrong line spoils no other."""
    data = f'{{"pledge_id": "{EUI}"}}\nnonsense\n[1]\n{{"pledge_id": "{EUI}", "label": ""}}\n'
    assert rows(data.encode(), form) == [
        Row(1, {"pledge_id": EUI}),
        RowError(2, "", "the line is no JSON object"),
        RowError(3, "", "a row is a JSON object"),
        Row(4, {"pledge_id": EUI}),
    ]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n \r\n\n", "the file is empty"),
        (b"pledge,psk\n", "no header with a column pledge_id"),
        (b"pledge_id,psk,netwrok\n00,00,x\n", "unknown column 'netwrok'; did you mean network?"),
        (b"pledge_id,psk,psk\n", "psk is there twice"),
        (b'pledge_id,psk\n"00,11\n', "a quoted field is not closed"),
        (b"pledge_id,psk\n00,11,22\n", "3 fields, and 2 in the header"),
        (b"pledge_id,psk\n\xff\xfe,00\n", "not UTF-8"),
        (b"\xff\xfep\x00l\x00", "the file is UTF-16"),
        (b"pledge_id,psk\n" + b"0" * (MAX_ROW_BYTES + 2), "more than 65536 bytes"),
        (b'[{"pledge_id": "00"} {"pledge_id": "01"}]', "a comma, an object|an object, a comma"),
        (b'[{"pledge_id": "00"},', "is not closed"),
        (b'[{"pledge_id": 5}]', "the value is no string"),
        (b'[{"pledge_id": "00", "pledge_id": "01"}]', "there twice"),
        (b'[{"pledge_id": "00", "pks": ""}]', "unknown column 'pks'; did you mean psk?"),
        (b"[5]", "is missing here"),
        (b'[{"pledge_id": 1%s}]' % (b"0" * 5000), "the value is no string"),
        (b'{"pledge_id": 1%s}' % (b"0" * 5000), "the value is no string"),
        (b"[] x", "is missing here"),
        (b"[{" + b'"a":{' * 20000, "no JSON object ends here"),
        (b'["\xff"]', "is missing here|not UTF-8"),
    ],
)
def test_a_file_that_is_wrong_says_where(data: bytes, reason: str) -> None:
    """One fault with its line; nothing raises."""
    faults = [row for row in rows(data, size=1000) if isinstance(row, RowError)]
    assert len(faults) == 1
    assert any(part in faults[0].reason for part in reason.split("|"))


def test_below_a_wrong_header_rows_are_read_for_their_mistakes() -> None:
    """With the columns that are known; what is missing for it is no mistake of the row."""
    data = f"pledge_id,pks,role,label,label\n{EUI},{PSK},6ln,a,b\n{EUI},{PSK},chief,a,b\n{EUI}\n"
    header, twice, good, bad, short = rows(data.encode())
    assert isinstance(header, RowError)
    assert isinstance(twice, RowError)
    assert ("unknown column 'pks'; did you mean psk?", 1) == (header.reason, header.line)
    assert "the column label is there twice" == twice.reason
    assert good == Row(2, {"pledge_id": EUI, "role": "6ln"}, is_whole=False)
    assert isinstance(good, Row)
    assert applicant_of(good, "f.csv") == (None, [])
    assert isinstance(bad, Row)
    assert [(3, "role")] == [fault[:2] for fault in applicant_of(bad, "f.csv")[1]]
    assert short == RowError(4, "", "1 fields, and 5 in the header")


@pytest.mark.parametrize("key", ["0ftk1VsnWNHN3ioIiLOlXg==", "0ftk1VsnWNHN3ioIiLOl_g"])
def test_what_may_be_a_key_in_base64_is_never_repeated(key: str) -> None:
    """With or without its padding, in either alphabet (RFC 4648)."""
    named = rows(f"pledge_id,{key}\n".encode())
    fields = {"pledge_id": EUI, "psk": PSK, "aead": key, "hkdf": key}
    _, faults = applicant_of(Row(2, fields), "f.csv")
    assert ["aead", "hkdf"] == [fault.column for fault in faults]
    with pytest.raises(UnfitError) as unknown:
        network_ids_of([key], {})
    assert "no network of this name" in str(unknown.value)
    assert key not in f"{named}{faults}{unknown.value}"


def test_what_may_be_a_key_is_never_repeated() -> None:
    """A key in the place of a column's name, or in the wrong column."""
    for data in (
        f"pledge_id,{PSK}\n",
        f"pledge_id,{PSK}==z\n",
        f'{{"{PSK}": 1}}',
        f'[{{"pledge_id": "{EUI}", "psk": ["{PSK}"]}}]',
    ):
        assert PSK not in str(rows(data.encode()))
    wrong = {"pledge_id": PSK + "z", "psk": PSK + "z", "network": "a;a"}
    others = ("role", "profile", "aead", "hkdf", "used_before", "key_check", "ssn_start")
    row = Row(2, {**wrong, **dict.fromkeys(others, PSK)})
    _, faults = applicant_of(row, "f.csv")
    assert [fault.column for fault in faults] == [*wrong, *others]
    assert PSK not in str(faults)


@pytest.mark.parametrize(
    ("fields", "columns"),
    [
        ({"psk": PSK}, ["pledge_id"]),
        ({"pledge_id": EUI}, ["psk"]),
        ({"pledge_id": EUI, "psk": PSK, "common_iv": "00"}, ["common_iv"]),
        ({"pledge_id": EUI, "common_iv": "00"}, ["pledge_sender_key", "pledge_recipient_key"]),
        ({"pledge_id": EUI, "psk": PSK, "profile": "x", "aead": "x", "hkdf": "x"},
         ["profile", "aead", "hkdf"]),
        ({"pledge_id": "00" * 249, "psk": PSK}, ["pledge_id"]),
    ],
)  # fmt: skip
def test_every_wrong_field_of_a_row_is_named(fields: dict[str, str], columns: list[str]) -> None:
    """All of them at once."""
    applicant, faults = applicant_of(Row(9, fields), "f.csv")
    assert applicant is None
    assert [(fault.line, fault.column) for fault in faults] == [(9, name) for name in columns]


def test_a07_algorithms_go_by_name_or_number() -> None:
    """RFC 9031 §7.3; an unknown one is refused by name."""
    fields = {"pledge_id": EUI, "psk": PSK, "aead": "a128gcm", "hkdf": "-11"}
    applicant, _ = applicant_of(Row(2, fields), "f.csv")
    assert applicant is not None
    assert (applicant.aead, applicant.hkdf, applicant.source) == (1, -11, "f.csv:2")
    _, faults = applicant_of(Row(2, {**fields, "aead": "rot13"}), "f.csv")
    assert faults[0].reason == "the AEAD algorithm 'rot13' is not supported"


def test_the_format_comes_from_the_name_or_is_asked_for() -> None:
    """`-` and unknown endings are found out by content."""
    names = ("a.csv", "a.tsv", "b.JSON", "c.jsonl", "c.ndjson", "d.cbor", "-", "keys.txt")
    assert [format_of(name) for name in names] == [
        Format.CSV, Format.CSV, Format.JSON, Format.JSONL, Format.JSONL, Format.CBOR, None, None,
    ]  # fmt: skip
    assert format_of("a.csv", "json") is Format.JSON
    with pytest.raises(OperatorError, match="'xml'"):
        format_of("a", "xml")


@given(st.binary(max_size=300), st.sampled_from([None, *Format]), st.integers(1, 50))
def test_any_bytes_give_rows_or_faults(data: bytes, form: Format | None, size: int) -> None:
    """The readers are total, and how the bytes were cut makes no difference."""
    assert rows(data, form, size) == rows(data, form, 10_000)


@pytest.mark.parametrize("form", list(Format))
def test_memory_does_not_grow_with_the_file(form: Format) -> None:
    """Over 1 MB is read in well under half of it."""
    tracemalloc.start()
    try:
        count = sum(isinstance(row, Row) for row in read_rows(long_file(form, 20_000), form))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert peak < 400_000


@pytest.mark.parametrize("start", [b"pledge_id,psk\n", b"[{", b"[", b"\xa1\x5a\xff\xff\xff\xff"])
def test_memory_does_not_grow_with_a_row_without_end(start: bytes) -> None:
    """5 MB of it are dropped as they come."""
    tracemalloc.start()
    try:
        found = list(read_rows(chain([start], (zeros(10_000) for _ in range(500)))))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [True] == [isinstance(row, RowError) for row in found]
    assert peak < 1_000_000


def zeros(count: int) -> bytes:
    return b"0" * count


def long_file(form: Format, count: int) -> Iterator[bytes]:
    if form is Format.CSV:
        yield b"pledge_id,psk,label\n"
        for at in range(0, count, 500):
            yield b"".join(b"%016x,%032x,x\n" % (n, n) for n in range(at, at + 500))
        return
    if form is Format.CBOR:
        yield from (cbor2.dumps({"pledge_id": b"%08d" % n, "psk": bytes(16)}) for n in range(count))
        return
    if form is Format.COSE:
        yield from (cbor2.dumps({1: 4, 2: b"%08d" % n, -1: bytes(16)}) for n in range(count))
        return
    if form is Format.YAML:
        yield from (b'- {pledge_id: "%016x", psk: "%032x"}\n' % (n, n) for n in range(count))
        return
    between = b",\n" if form is Format.JSON else b"\n"
    yield b"[" if form is Format.JSON else b""
    for at in range(0, count, 500):
        yield between if at else b""
        yield between.join(
            b'{"pledge_id": "%016x", "psk": "%032x"}' % (n, n) for n in range(at, at + 500)
        )
    yield b"]" if form is Format.JSON else b""


@pytest.mark.parametrize("form", [None, Format.YAML])
def test_yaml_in_brackets_is_told_how_to_write_it(form: Format | None) -> None:
    """It is read as JSON, also where the file is called YAML; who says JSON needs no such hint."""
    (fault,) = rows(f"[{{pledge_id: {EUI}, psk: {PSK}}}]".encode(), form)
    assert isinstance(fault, RowError)
    assert (
        "what begins with [ is read as JSON; a list in YAML has a dash for each entry" == fault.hint
    )
    (fault,) = rows(b"[{x}]", Format.JSON)
    assert isinstance(fault, RowError)
    assert not fault.hint
