"""The C example joins a real registrar, with keys that `jrc pledge generate` made for it."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from jrc.cojp.constants import MAX_SEQUENCE_NUMBER
from tests.daemon.site import Daemon

SOURCE = Path(__file__).parents[2] / "deploy/examples/c/join.c"
COMPILER = shutil.which("cc")
NETTLE = Path("/usr/include/nettle/ccm.h")
PLEDGE = "00124b0014b5b67e"
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-O1")

pytestmark = pytest.mark.skipif(
    COMPILER is None or not NETTLE.exists(), reason="needs a C compiler and nettle-dev"
)


class Firmware:
    """A device's program: made in a folder of its own, with the header of its key."""

    def __init__(self, folder: Path, daemon: Daemon, *words: str) -> None:
        self.folder, self.daemon = folder, daemon
        folder.mkdir()
        where = ("--format", "c", "--out", str(folder / "credential.h"), "--json")
        said = daemon.site.run("pledge", "generate", *words, *where, configured=False).stdout
        (device,) = json.loads(said)["devices"]
        self.key_check = device["key_check"]
        assert COMPILER is not None
        shutil.copy(SOURCE, folder)
        command = [COMPILER, *STRICT, "-o", "join", "join.c", "-lnettle"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert (0, "") == (done.returncode, done.stderr)

    def join(self, network: str = "cafe") -> subprocess.CompletedProcess[str]:
        """One run."""
        host, port = self.daemon.address[:2]
        return subprocess.run(
            [str(self.folder / "join"), host, str(port), network, str(self.folder / "number")],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    @property
    def number(self) -> int:
        """The device's next sequence number, as it has stored it."""
        return int((self.folder / "number").read_text())


def test_a06_the_program_joins_with_the_derived_keys_alone(daemon: Daemon, tmp_path: Path) -> None:
    """RFC 9031 App. B, §8.1.1: from the builder's command to the keys; then a new key, then kept.

    From the import of the new key on the old image is silent (RFC 9031 §9); an image with a kept
    key joins with numbers above all that the device may have used (RFC 8613 §7.2.1).
    """
    site, records, anew = daemon.site, tmp_path / "pledges.csv", tmp_path / "anew.csv"
    new_key = ("--id", PLEDGE, "--derived", "--import-file")
    first = Firmware(tmp_path / "first", daemon, *new_key, str(records), "--network", "lab")
    site.run("pledge", "import", str(records))
    _joins(first)
    assert (3, "refused: 4.00\n") == (first.join("beef").returncode, first.join("beef").stdout)
    assert 3 == first.number

    second = Firmware(tmp_path / "second", daemon, *new_key, str(anew))
    site.run("pledge", "import", str(anew), "--on-conflict", "replace")
    dropped = daemon.dropped().get("bad_tag", 0)
    silent = subprocess.Popen(
        [str(first.folder / "join"), *daemon.address[:1], str(daemon.address[1]), "cafe",
         str(first.folder / "number")],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    _joins(second)
    while daemon.dropped().get("bad_tag", 0) == dropped:
        assert silent.poll() is None, "the old image has ended before the registrar heard it"
    silent.kill()
    assert b"" == silent.communicate()[0]

    state = tmp_path / "state.json"
    state.write_text(site.run("pledge", "show", PLEDGE, "--json").stdout)
    kept = Firmware(tmp_path / "kept", daemon, "--keep", str(anew), "--state", str(state))
    _joins(kept)
    assert second.number - 1 + 2**24 == kept.number - 1 <= MAX_SEQUENCE_NUMBER


def _joins(firmware: Firmware) -> None:
    """It shows key ids and its short identifier, and the key check value that the builder saw."""
    done = firmware.join()
    assert (0, "") == (done.returncode, done.stderr)
    key, short_id, last = done.stdout.splitlines()
    assert key.startswith("key id ")
    assert key.endswith(", usage 0, 16 bytes")
    assert short_id.startswith("short identifier ")
    assert f"joined, key check value {firmware.key_check}" == last
