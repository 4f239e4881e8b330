"""What is handed out: a release, as an operator unpacks it, and the wheel that is made in it."""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
_MIGRATION = """\
from alembic import op

revision, down_revision = "{new}", "{old}"


def upgrade() -> None:
    op.execute("CREATE TABLE of_a_later_version (number INTEGER)")
"""


def unpack(folder: Path) -> Path:
    """The folder of a release of this checkout, below an empty one."""
    _build(CHECKOUT, "sdist", folder)
    (archive,) = folder.glob("jrc-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(folder)  # our own
    return folder / archive.name.removesuffix(".tar.gz")


def make_wheel(release: Path) -> Path:
    """As `make wheel` does there, which sets up an environment of its own to do it in."""
    _build(release, "wheel", release / "dist")
    (wheel,) = (release / "dist").glob("jrc-*.whl")
    return wheel


def make_newer(release: Path, folder: Path) -> Path:
    """A release that comes after it, with another schema, and its wheel; in a folder to be made."""
    shutil.copytree(release, folder, ignore=shutil.ignore_patterns("dist"))
    _replace(folder / "jrc/__init__.py", r'(__version__ = ").*"', r'\g<1>99.0"')
    schema = folder / "jrc/store/schema/__init__.py"
    old = _replace(schema, r'(SCHEMA_REVISION = ")(\d+)"', r'\g<1>9999"')[2]
    migration = _MIGRATION.format(old=old, new="9999")
    (folder / "migrations/versions/9999_later.py").write_text(migration)
    make_wheel(folder)
    return folder


def _replace(file: Path, pattern: str, by: str) -> re.Match[str]:
    """The one place where a file had what was replaced."""
    text = file.read_text()
    (found,) = re.finditer(pattern, text)
    file.write_text(re.sub(pattern, by, text))
    return found


def _build(source: Path, kind: str, folder: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
