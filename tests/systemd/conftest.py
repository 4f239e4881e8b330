"""A container in which the registrar was installed as an operator installs it."""

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.systemd.machine import Machine, why_not

IDENTIFIERS = [f"00124b00{number:08x}" for number in range(1, 41)]
SOURCE = "/usr/local/lib/tested/source"
PLEDGES = "/root/pledges"


class Router(Machine):
    """A border router with `jrc` on it."""

    def install(self) -> str:
        """What the install script says."""
        return self.run("sh", f"{SOURCE}/deploy/systemd/install.sh")

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

    def enroll(self) -> None:
        """The network of RFC 9031 App. A with pledges, whose keys are in a file."""
        self.jrc("network", "add", "lab", "--network-id", "cafe", "--prefix", "fd00:1::/64")
        rows = [{"pledge_id": each, "psk": secrets.token_hex(16)} for each in IDENTIFIERS]
        lines = "\n".join(json.dumps(row) for row in rows) + "\n"
        self.jrc("pledge", "import", "-", "--format", "jsonl", given=lines)
        text = "\n".join(f"{row['pledge_id']} {row['psk']}" for row in rows)
        (self.root / PLEDGES.lstrip("/")).write_text(text)

    def join(self) -> dict[str, int]:
        """What became of each pledge's join."""
        said = self.run(*self.python("tests.systemd.joiner", PLEDGES))
        found: dict[str, int] = json.loads(said.splitlines()[-1])
        return found

    def entries(self, event: str) -> list[dict[str, str]]:
        """The daemon's entries of this event in the journal, the oldest first."""
        found = self.journal("--unit=jrc.service", f"JRC_EVENT={event}")
        return [json.loads(line) for line in found.splitlines()]


@contextmanager
def _booted(root: Path) -> Iterator[Router]:
    """A host that has nothing of the registrar's but its program."""
    root.mkdir()
    router = Router(root)
    try:
        router.wait_until_booted()
        yield router
    finally:
        router.stop()


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    """Booted, with nothing of the registrar's but its program."""
    if (why := why_not()) is not None:
        pytest.skip(why)
    with _booted(tmp_path_factory.mktemp("machine") / "root") as router:
        yield router


@pytest.fixture(scope="module")
def router(machine: Router) -> Router:
    """With the registrar installed, started, and pledges that may join."""
    machine.install()
    machine.run("systemctl", "enable", "--now", "jrc")
    machine.enroll()
    return machine


@pytest.fixture(scope="module")
def successor(tmp_path_factory: pytest.TempPathFactory, router: Router) -> Iterator[Router]:
    """Another host, with the registrar installed and not started."""
    del router  # which says whether any can be booted
    with _booted(tmp_path_factory.mktemp("successor") / "root") as other:
        other.install()
        yield other
