"""What is handed out: a release, as an operator unpacks it, and the wheel that is made in it."""

import subprocess
import sys
import tarfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


def unpack(folder: Path) -> Path:
    """The folder of a release of this checkout, below an empty one."""
    _build(CHECKOUT, "sdist", folder)
    (archive,) = folder.glob("jrc-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.gz")


def make_wheel(release: Path) -> Path:
    """As `make wheel` does there, which sets up an environment of its own to do it in."""
    _build(release, "wheel", release / "dist")
    (wheel,) = (release / "dist").glob("jrc-*.whl")
    return wheel


def _build(source: Path, kind: str, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
