"""What is handed out holds what an install takes of it."""

import tomllib
import zipfile
from pathlib import Path

import pytest

from tests.systemd import release as releases

CHECKOUT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release, unpacked, with the wheel that is made of it."""
    folder = releases.unpack(tmp_path_factory.mktemp("release"))
    releases.make_wheel(folder)
    return folder


@pytest.fixture(scope="module")
def carried(release: Path) -> set[str]:
    """The wheel's files, by where they lie in an environment of Python."""
    (wheel,) = (release / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = [name for name in opened.namelist() if not name.endswith("/")]
    (data,) = {name.split("/")[0] for name in names if name.split("/")[0].endswith(".data")}
    return {name.removeprefix(f"{data}/data/") for name in names}


def files(folder: Path, pattern: str = "*") -> set[str]:
    """By their paths below a folder of the checkout, but for what running them leaves."""
    found = (path for path in (CHECKOUT / folder).rglob(pattern) if path.is_file())
    return {str(path.relative_to(CHECKOUT)) for path in found if "__pycache__" not in path.parts}


def test_a_release_has_what_the_install_script_takes(release: Path) -> None:
    """The script itself, units, drop-ins, the pinned requirements, and what `make wheel` reads."""
    wanted = files(Path("deploy")) | files(Path("requirements")) | {"Makefile", "pyproject.toml"}
    assert set() == {name for name in wanted if not (release / name).is_file()}
    assert (release / "deploy/systemd/install.sh").stat().st_mode & 0o111


def test_a_wheel_has_the_program_with_its_migrations(carried: set[str]) -> None:
    """And the data that its modules read."""
    migrations = {f"jrc/{name}" for name in files(Path("migrations"))}
    assert set() == (files(Path("jrc")) | migrations) - carried


def test_a_wheel_has_manual_and_completions_where_shells_look(carried: set[str]) -> None:
    """All that are made from the code; the install script links what it finds there."""
    manual = {name.replace("deploy", "share", 1) for name in files(Path("deploy/man"))}
    assert {"share/man/man1/jrc.1", "share/man/man5/jrc-config.5"} < manual
    shells = {
        "share/bash-completion/completions/jrc",
        "share/zsh/site-functions/_jrc",
        "share/fish/vendor_completions.d/jrc.fish",
    }
    assert manual | shells == {name for name in carried if name.startswith("share/")}
    assert len(files(Path("deploy/completions"))) == len(shells)


def test_each_requirement_of_the_program_is_pinned_for_the_install(release: Path) -> None:
    """The script installs them without asking what they need."""
    with (release / "pyproject.toml").open("rb") as file:
        asked = tomllib.load(file)["project"]["dependencies"]
    pinned = (release / "requirements/run.txt").read_text().splitlines()
    names = {line.partition("==")[0] for line in pinned if "==" in line}
    wanted = {each.split(">")[0].split("=")[0].split("[")[0].strip().lower() for each in asked}
    assert set() == wanted - names
