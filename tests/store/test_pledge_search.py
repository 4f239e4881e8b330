"""Pledges by a part of the label or of the identifier."""

import pytest

from jrc.service.pledges import list_pledges
from tests.desk import Desk


@pytest.fixture
def shelf(desk: Desk) -> Desk:
    """Three devices with labels."""
    desk.network()
    for number, label in ((0xA1, "Kitchen 100%"), (0xB2, "hall_1"), (0xC3, "kitchen door")):
        desk.pledge(number, label=label)
    return desk


def _found(desk: Desk, search: str) -> list[str]:
    reports = desk.read(lambda tx: list_pledges(tx, search=search))
    return [report.label for report in reports]


@pytest.mark.parametrize(
    ("search", "labels"),
    [
        ("kitchen", ["Kitchen 100%", "kitchen door"]),
        ("DOOR", ["kitchen door"]),
        ("%", ["Kitchen 100%"]),
        ("_", ["hall_1"]),
        ("'", []),
        ("b2", ["hall_1"]),
        ("B2", ["hall_1"]),
        ("00:12:4b", ["Kitchen 100%", "hall_1", "kitchen door"]),
        ("0x00124b", ["Kitchen 100%", "hall_1", "kitchen door"]),
        ("nowhere", []),
    ],
)
def test_a_part_of_the_label_or_of_the_identifier_is_enough(
    shelf: Desk, search: str, labels: list[str]
) -> None:
    """As it is printed on a device, in capitals or not; a sign is a sign."""
    assert _found(shelf, search) == labels
