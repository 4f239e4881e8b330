"""The MAC of a row covers table, key, every value, and what hangs on the row."""

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table

from jrc.errors import StateError
from jrc.store.rowmac import CHANGES, MAC_BYTES, RowMac

MAC = RowMac(bytes(range(32)))
TABLE = Table(
    "thing",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("value", LargeBinary),
    Column("mac", LargeBinary),
)


def test_a_mac_fits_its_row_and_no_other() -> None:
    """Table, key, values, their order, type and number."""
    values = (1, b"\x01", None, "a")
    mac = MAC.compute("thing", values)
    assert MAC_BYTES == len(mac)
    assert MAC.fits("thing", values, mac)
    others = [
        ("other", values), ("thing", (2, *values[1:])), ("thing", values[:-1]),
        ("thing", (*values, None)), ("thing", (1, None, b"\x01", "a")),
        ("thing", (1, "\x01", None, "a")), ("thing", (1, b"\x01", 0, "a")),
        ("thing", (1, b"\x01", None, b"a")), ("thin", ("g", *values)),
    ]  # fmt: skip
    for table, other in others:
        assert not MAC.fits(table, other, mac), other
    assert not RowMac(bytes(32)).fits("thing", values, mac)


@pytest.mark.parametrize("label", ["", "roof", "50 %s'", 'a\\"b', "Dach süd", "\u2028"])
def test_rows_that_are_alike_have_the_macs_of_their_own(label: str) -> None:
    """Whatever is shared by them, and whatever is not."""
    shared = MAC.alike("thing", (CHANGES, b"%d\xff", label, None, [1, 2], CHANGES))
    for number, value in ((1, label), (2**40, b"\x00%'"), (-1, None)):
        row = (number, b"%d\xff", label, None, [1, 2], value)
        assert MAC.compute("thing", row) == shared(number, value)


def test_a_sealed_row_is_checked_with_its_details() -> None:
    """Of another number, order or kind none fits."""
    sealed = MAC.seal(TABLE, {"id": 7, "value": b"x"}, [1, 2])
    MAC.check(TABLE, sealed, [1, 2])
    others: list[tuple[list[int], ...]] = [(), ([2, 1],), ([1],), ([1, 2], [])]
    for details in others:
        with pytest.raises(StateError, match="thing 7 does not authenticate"):
            MAC.check(TABLE, sealed, *details)


@pytest.mark.parametrize("mac", [None, b"", bytes(15), bytes(16), "text"])
def test_a_mac_that_is_none_does_not_fit(mac: object) -> None:
    """Whatever stands in its column."""
    sealed = MAC.seal(TABLE, {"id": 7, "value": b"x"})
    with pytest.raises(StateError):
        MAC.check(TABLE, {**sealed, "mac": mac})
