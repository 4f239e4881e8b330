"""The folder of scheduled backups."""

from pathlib import Path

import pytest

from jrc.errors import OperatorError
from jrc.store.backup.shelf import Shelf
from tests.desk import NOW_MS


def test_only_files_of_our_own_names_are_dropped(tmp_path: Path) -> None:
    """The oldest first; what an operator has put there stays."""
    shelf = Shelf(tmp_path)
    for day in range(5):
        shelf.place(NOW_MS + day * 86_400_000).touch()
    foreign = ("jrc.backup", "jrc-20260101T000000Z.backup.bak", ".jrc-20260101T000000Z.backup.part")
    for name in foreign:
        (tmp_path / name).touch()
    dropped = shelf.drop_all_but(2)
    assert [f"jrc-202611{day}T005320Z.backup" for day in (30,)] == [dropped[0].name]
    assert 3 == len(dropped)
    assert 2 == len(shelf.files())
    assert {*foreign} < {file.name for file in tmp_path.iterdir()}


def test_the_newest_is_known_by_its_name(tmp_path: Path) -> None:
    """A copy has another time of change."""
    shelf = Shelf(tmp_path)
    assert shelf.newest_ms() is None
    shelf.place(NOW_MS).touch()
    (tmp_path / "jrc-20269999T999999Z.backup").touch()
    assert NOW_MS == shelf.newest_ms()


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    """With the setting."""
    with pytest.raises(OperatorError, match=r"backup\.directory: .*/gone can't be read"):
        Shelf(tmp_path / "gone").newest_ms()
