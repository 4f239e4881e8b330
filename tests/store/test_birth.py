"""When a file was made, as its file system has it."""

import os
import time
from pathlib import Path

import pytest

from jrc.store import birth
from jrc.store.birth import born_ns
from tests.at_home import keeps_births, wait_for_another_birth

TICK_NS = 20_000_000
"""File systems take the time of the last tick of the kernel's clock."""


def of(path: Path) -> int | None:
    with path.open() as file:
        return born_ns(file.fileno())


@pytest.mark.skipif(not keeps_births(), reason="this file system does not say it")
def test_a_file_is_as_old_as_it_is(tmp_path: Path) -> None:
    """Whatever its other times are set to, and whatever is written into it."""
    before, path = time.time_ns(), tmp_path / "file"
    path.write_text("one")
    born = of(path)
    assert born is not None
    assert before - TICK_NS <= born <= time.time_ns()
    wait_for_another_birth(tmp_path)
    path.write_text("another")
    os.utime(path, (1, 1))
    path.chmod(0o600)
    assert born == of(path.rename(tmp_path / "renamed"))


def test_a_file_system_that_does_not_keep_it_as_it_was_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As FAT, which gives a coarser time once it is mounted anew, or a share."""
    path = tmp_path / "file"
    path.touch()
    monkeypatch.setattr(birth, "_STEADY", {})
    assert of(path) is None


def test_a_library_without_the_call_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As an old one, or a sandbox that does not know it."""
    path = tmp_path / "file"
    path.touch()
    monkeypatch.setattr(birth, "_library", object)
    assert of(path) is None


def test_a_descriptor_that_is_none_says_nothing() -> None:
    """The call fails, and nothing else does."""
    assert born_ns(1 << 20) is None
