"""A container in which the registrar was installed as an operator installs it."""

import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.documents.blocks import below
from tests.systemd import release as releases
from tests.systemd.machine import HERE, PATIENCE_S, WHEELS, Machine, why_not
from tests.wheels import fetch

IDENTIFIERS = [f"00124b00{number:08x}" for number in range(1, 41)]
RELEASE = "/root/jrc"
"""An unpacked release, where the page's commands are pasted."""
PLEDGES, FIRST = "/root/pledges", "/root/first"
PAGE = "docs/systemd.md"
YES, PASSPHRASE = "y\n", "moving and moving\n"
INSTALL = "deploy/systemd/install.sh dist/jrc-*.whl"
ADDED = "00124b0014b5b67e"
ADD = f"jrc pledge add {ADDED} --psk-file FILE"
FOLLOW = "journalctl -u jrc -f"
_PROGRAM, _COMMAND = "usr/local/lib/jrc", "usr/local/bin/jrc"
_ANSWERS: Mapping[str, tuple[str, ...]] = {
    "jrc keys add recovery paper": (YES,),
    "jrc keys rotate --file": (YES,),
    "jrc backup create": (PASSPHRASE, PASSPHRASE, YES),
    "jrc-offline backup restore": (PASSPHRASE, YES),
}
"""To what those commands of the page ask that begin so."""
LEFT_OUT: Mapping[str, str] = {
    "make wheel": "has no network to set up an environment with; `release.make_wheel` does it",
    "git pull": "has no network; a test puts another release there",
}
"""Commands of the page that no host inside can carry out."""


class Router(Machine):
    """A border router, on which `jrc` is installed."""

    def paste(
        self,
        heading: str,
        number: int,
        instead: Mapping[str, Callable[[], object]] | None = None,
        page: str = PAGE,
    ) -> None:
        """Give root's shell each command of a block of the page, of which a heading's first is 1.

        ``instead`` says what is done in the place of a command.
        """
        for text in below(page, heading)[number - 1]:
            if instead is not None and text in instead:
                instead[text]()
            elif text not in LEFT_OUT:
                self._give(f"cd {RELEASE} && {text}", _answers(text))

    def _give(self, text: str, answers: Sequence[str]) -> None:
        """A line of shell; on a terminal where it asks, which not all are quick enough for."""
        if answers:
            self.type(text, answers)
        else:
            self.run("sh", "-c", text)

    def unpack(self, release: Path) -> None:
        """Puts a release there."""
        shutil.copytree(release, self.root / RELEASE.lstrip("/"), dirs_exist_ok=True)

    def put_wheels(self, folder: Path) -> None:
        """Puts what an install takes from an index where pip looks for it."""
        shutil.copytree(folder, self.root / WHEELS.lstrip("/"), dirs_exist_ok=True)

    def install(self) -> str:
        """What the install script says where the program is there."""
        return self.run("sh", f"{RELEASE}/deploy/systemd/install.sh")

    def copy_program(self, folder: Path) -> None:
        """Keeps the installed program in a folder, for other hosts."""
        _link_all(self.root / _PROGRAM, folder)

    def put_program(self, folder: Path) -> None:
        """Puts it where an install would; that takes half a minute of pip's."""
        _link_all(folder, self.root / _PROGRAM)
        (self.root / _COMMAND).symlink_to(f"/{_PROGRAM}/bin/jrc")

    def jrc(self, *words: str, given: str = "") -> str:
        """What a command says, which must succeed."""
        return self.run("jrc", *words, given=given)

    def status(self) -> dict[str, object]:
        """As ``jrc status --json`` has it."""
        found: dict[str, object] = json.loads(self.jrc("status", "--json"))
        return found

    def events(self) -> list[dict[str, object]]:
        """The audit log."""
        found: list[dict[str, object]] = json.loads(self.jrc("events", "--json"))
        return found

    def files(self) -> list[str]:
        """All that is no folder where an install puts something, with links to other places."""
        folders = (self.root / name for name in ("etc", "usr/local", "var/lib"))
        found = (file for folder in folders for file in folder.rglob("*"))
        return [
            f"/{file.relative_to(self.root)}"
            for file in found
            if not file.is_dir() or file.is_symlink()
        ]

    def pid(self) -> int:
        """The daemon's, as it is inside."""
        return int(self.property("jrc.service", "MainPID"))

    def add_first(self) -> None:
        """The pledge that the page adds, with a key in the place of FILE."""
        key = secrets.token_hex(16)
        (self.root / "root/key.hex").write_text(key + "\n")
        (self.root / "root/key.hex").chmod(0o600)
        (self.root / FIRST.lstrip("/")).write_text(f"{ADDED} {key}")
        self.type(ADD.replace("FILE", "/root/key.hex"))

    def follow_first(self) -> None:
        """Its join is a line of what the page's last command shows, until that is given Ctrl-C."""
        showing = self.start("sh", "-c", f"echo $$; exec timeout {PATIENCE_S} {FOLLOW}")
        assert showing.stdout is not None
        pid = showing.stdout.readline().strip()
        assert {"joined": 1, "repeated": 0, "refused": 0, "lost": 0} == self.join(FIRST)
        for line in showing.stdout:
            if ADDED in line and "joined" in line:
                break
        else:
            raise AssertionError("its join is no line of the log")
        self.run("kill", "-INT", pid)
        showing.communicate(timeout=PATIENCE_S)

    def enroll(self) -> None:
        """Pledges of the network, whose keys are in a file."""
        rows = [{"pledge_id": each, "psk": secrets.token_hex(16)} for each in IDENTIFIERS]
        lines = "\n".join(json.dumps(row) for row in rows) + "\n"
        self.jrc("pledge", "import", "-", "--format", "jsonl", given=lines)
        text = "\n".join(f"{row['pledge_id']} {row['psk']}" for row in rows)
        (self.root / PLEDGES.lstrip("/")).write_text(text)

    def join(
        self, pledges: str = PLEDGES, at: str = "::1", inside: Sequence[str] = ()
    ) -> dict[str, int]:
        """What became of each pledge's join; ``inside`` is a command that runs another one."""
        said = self.run(*inside, *self.python("tests.systemd.joiner", pledges, at))
        found: dict[str, int] = json.loads(said.splitlines()[-1])
        return found

    def entries(self, event: str) -> list[dict[str, str]]:
        """The daemon's entries of this event in the journal, the oldest first."""
        found = self.journal("--unit=jrc.service", f"JRC_EVENT={event}")
        return [json.loads(line) for line in found.splitlines()]


def _answers(text: str) -> Sequence[str]:
    return next((said for begin, said in _ANSWERS.items() if text.startswith(begin)), ())


def _link_all(source: Path, target: Path) -> None:
    shutil.copytree(source, target, symlinks=True, copy_function=os.link)


@contextmanager
def booted(root: Path, tree: Path = HERE) -> Iterator[Router]:
    """A host that has nothing of the registrar's, with the /usr of ``tree``."""
    root.mkdir()
    router = Router(root, tree)
    try:
        router.wait_until_booted()
        yield router
    finally:
        router.stop()


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An unpacked release with its wheel in ``dist``."""
    if (why := why_not()) is not None:
        pytest.skip(why)
    folder = releases.unpack(tmp_path_factory.mktemp("release"))
    releases.make_wheel(folder)
    return folder


@pytest.fixture(scope="session")
def wheels(pytestconfig: pytest.Config) -> Path:
    """What the release needs."""
    folder = pytestconfig.cache.mkdir("wheels")
    fetch(folder, "run.txt")
    return folder


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first host's program is kept, once it has one."""
    return tmp_path_factory.mktemp("program") / "jrc"


@pytest.fixture(scope="module")
def machine(
    tmp_path_factory: pytest.TempPathFactory, release: Path, wheels: Path
) -> Iterator[Router]:
    """Booted, with nothing of the registrar's but an unpacked release."""
    with booted(tmp_path_factory.mktemp("machine") / "root") as router:
        router.unpack(release)
        router.put_wheels(wheels)
        yield router


@pytest.fixture(scope="module")
def router(machine: Router, program: Path) -> Router:
    """With the registrar installed, started, and pledges that may join: as the page says."""
    instead = {}
    if program.exists():
        machine.put_program(program)
        instead[INSTALL] = machine.install
    machine.paste("## Install", 1, instead)
    if not program.exists():
        machine.copy_program(program)
    machine.paste("## Install", 2, {ADD: machine.add_first, FOLLOW: machine.follow_first})
    machine.enroll()
    return machine


@pytest.fixture(scope="module")
def successor(
    tmp_path_factory: pytest.TempPathFactory,
    router: Router,
    release: Path,
    wheels: Path,
    program: Path,
) -> Iterator[Router]:
    """Another host, with the registrar installed and not started."""
    del router  # which has installed the program
    with booted(tmp_path_factory.mktemp("successor") / "root") as other:
        other.unpack(release)
        other.put_program(program)
        other.install()
        yield other
