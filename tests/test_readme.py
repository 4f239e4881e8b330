"""What README.md tells people to paste works as it stands there."""

import csv
import os
import re
import secrets
import signal
import stat
import subprocess
import sys
from pathlib import Path

from jrc.cli.main import main
from tests.cli.terminal import environment, free_port

_README = Path(__file__).parent.parent / "README.md"
_JRC = """\
#!/bin/sh
{python} -m jrc.cli.main "$@" || exit
test "$1" != init || sed -i 's/\\[::\\]:5683/[::1]:{port}/' registrar/config.toml
"""
"""The program, whose registrar listens where nobody else does."""
_PIP = "#!/bin/sh\n"
"""The tests run in an environment that has it installed."""


def test_a_registrar_of_ones_own_is_made_by_pasting_the_block(tmp_path: Path) -> None:
    """Line by line: a folder, a network, its pledges, and the daemon answers joins."""
    text = _README.read_text(encoding="utf-8")
    section = text.partition("\n## A registrar of your own\n")[2].partition("\n## ")[0]
    block, keys = re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    _write_keys(tmp_path / "keys.csv", keys)
    _put_programs(tmp_path / "bin")
    shell = subprocess.Popen(
        ("sh", "-e", "-c", block),
        cwd=tmp_path,
        env={**environment(), "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert shell.stderr is not None
        said = [shell.stderr.readline()]
        while said[-1] and '"ready"' not in said[-1]:
            said.append(shell.stderr.readline())
        assert '"ready"' in said[-1], "".join(said)
        assert main(["--config", str(tmp_path / "registrar/config.toml"), "status"]) == 0
    finally:
        os.killpg(shell.pid, signal.SIGTERM)
        shell.communicate(timeout=180)


def _write_keys(path: Path, shown: str) -> None:
    """The file of the README, with keys in the place of what stands for them."""
    header, *rows = csv.reader(shown.splitlines())
    assert header[1] == "psk"
    for row in rows:
        row[1] = secrets.token_hex(16)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows((header, *rows))
    path.chmod(0o600)


def _put_programs(folder: Path) -> None:
    folder.mkdir()
    jrc = _JRC.format(python=sys.executable, port=free_port())
    for name, text in (("jrc", jrc), ("pip", _PIP)):
        program = folder / name
        program.write_text(text)
        program.chmod(stat.S_IRWXU)
