"""Wheels of what is pinned, in a folder that takes the place of an index."""

import subprocess
import sys
from pathlib import Path

CHECKOUT = Path(__file__).parent.parent


PYTHON = "/usr/bin/python3"
"""The system's, which images and services take."""
_VERSION = "import sys; print('%d.%d' % sys.version_info[:2])"


def fetch(wheels: Path, *names: str, version: str | None = None) -> None:
    """Fetch what files of ``requirements/`` pin and is not there yet.

    For the system's Python, or the one whose ``version`` is given, as ``3.13``.

    Raises:
        AssertionError: it can't be fetched.
    """
    version = version or _said(PYTHON, "-c", _VERSION)
    for name in names:
        words = ("--require-hashes", "--no-deps", "--only-binary=:all:", "--dest", str(wheels))
        which = ("--python-version", version, "-r", f"requirements/{name}")
        if _pip("--no-index", "--find-links", str(wheels), *words, *which).returncode:
            done = _pip(*words, *which)
            assert done.returncode == 0, done.stderr


def _said(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _pip(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pip", "--quiet", "download", *words]
    return subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
