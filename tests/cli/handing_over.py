"""A builder and an operator at one terminal, for tests of ``jrc handover``."""

from pathlib import Path

import pytest

from jrc.handover.keys import parse_private
from jrc.handover.role import Role
from jrc.model import Secret
from tests.cli.terminal import Done, Terminal, pledge_file
from tests.handover.making import PSKS, Ends

FIRST, SECOND = "00124b0014b5b601", "00124b0014b5b602"
ROWS = [f"{FIRST},{PSKS[0]},lamp", f"{SECOND},{PSKS[1]},valve"]


class Bench:
    """A builder and an operator at one terminal, with keys of both in a folder."""

    def __init__(self, terminal: Terminal, folder: Path) -> None:
        self.terminal = terminal
        self.folder = folder
        for role in Role:
            done = self.away("handover", "keygen", "--for", role, "--out", self.at(f"{role}.key"))
            assert done.code == 0, done

    def at(self, name: str) -> str:
        return str(self.folder / name)

    def away(self, *words: str, stdin: bytes = b"") -> Done:
        """A command where there is neither config nor database."""
        return self.terminal.jrc(*words, stdin=stdin, config=False)

    def seal(self, name: str = "b.sealed", *more: str, rows: list[str] = ROWS) -> Done:
        pledge_file(self.folder / "pledges.csv", rows)
        words = ("--to", self.at("registrar.key.pub"), "--key", self.at("builder.key"))
        return self.away(
            "handover", "seal", self.at("pledges.csv"), *words, "--out", self.at(name), *more
        )

    def open(self, name: str = "b.sealed", *more: str) -> Done:
        words = ("--key", self.at("registrar.key"), "--from", self.at("builder.key.pub"))
        return self.terminal.jrc("handover", "open", self.at(name), *words, *more)

    def ends(self) -> Ends:
        keys = [Secret((self.folder / f"{role}.key").read_bytes()) for role in Role]
        registrar, builder = (
            parse_private(key, role, "") for key, role in zip(keys, Role, strict=True)
        )
        return Ends(builder, registrar)

    def pledges(self) -> list[str]:
        return [each["pledge_id"] for each in self.terminal.jrc("pledge", "list", "--json").json]


@pytest.fixture
def bench(terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    folder = tmp_path / "away"
    folder.mkdir()
    monkeypatch.chdir(folder)
    terminal.jrc("network", "add", "lab", "--network-id", "cafe", "--prefix", "2001:db8::/64")
    return Bench(terminal, folder)
