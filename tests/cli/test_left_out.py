"""What a daemon does not load."""

import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import sys
from jrc.cli.main import main
main(sys.argv[1:])
print(*{name.partition(".")[0] for name, module in sys.modules.items() if module is not None})
"""
_OF_COMMANDS = {"alembic", "click", "greenlet", "httpx", "multiprocessing", "rich", "typer"}
_ELSEWHERE = {"aiocoap", "psycopg", "pyrage", "pyroute2", "serial", "yaml"}
"""What no daemon loads before its settings ask for it."""


_UNUSABLE = """[database]
url = "sqlite:///{folder}/none.db"
[admin]
socket = "{folder}/admin.sock"
[metrics]
listen = "127.0.0.1:1"
[proxy]
interface = "none-such"
jrc = "[2001:db8::1]:5683"
psk_file = "{folder}/none"
pledge_id = "0102030405060708"
"""


@pytest.mark.parametrize("daemon", ["run", "proxy"])
def test_a_daemon_loads_nothing_that_commands_alone_use(tmp_path: Path, daemon: str) -> None:
    """It keeps what it has loaded for as long as it runs, on small boards too."""
    config = tmp_path / "config.toml"
    config.write_text(_UNUSABLE.format(folder=tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, "--config", str(config), daemon],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    loaded = set(done.stdout.split())
    assert "uvicorn" in loaded, done.stderr
    assert set() == loaded & (_OF_COMMANDS | _ELSEWHERE)
