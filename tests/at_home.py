"""Copies of a registrar's state for tests that mean it to be the same registrar elsewhere."""

import json
import tempfile
import time
from pathlib import Path

from jrc.store.birth import born_ns


def at_home(folder: Path) -> None:
    """Have nothing tell that the instance files in a folder are copies."""
    for file in folder.glob("*.instance"):
        try:
            fields = json.loads(file.read_bytes())
        except ValueError:
            continue  # as a power failure has left it
        if isinstance(fields, dict):
            file.write_text(json.dumps({**fields, "born_ns": None}))


def keeps_births() -> bool:
    """Whether the file system of temporary files says when a file was made."""
    with tempfile.TemporaryFile() as file:
        return born_ns(file.fileno()) is not None


def wait_for_another_birth(folder: Path) -> None:
    """Until a file that is made now has another time than any before: the clock has ticks."""
    ends_s = time.monotonic() + 5
    with tempfile.TemporaryFile(dir=folder) as first:
        while time.monotonic() < ends_s:
            with tempfile.TemporaryFile(dir=folder) as file:
                if born_ns(file.fileno()) != born_ns(first.fileno()):
                    return
    raise AssertionError("the file system's clock stands still")
