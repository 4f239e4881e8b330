"""The process that prepares rows takes no code from where the command happens to run."""

from pathlib import Path

import pytest

from jrc.admin import preparing
from tests.cli.terminal import Terminal


def test_modules_of_the_working_folder_are_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can write there would run as the one who imports, root perhaps."""
    terminal = Terminal(tmp_path / "jrc")
    terminal.init()
    terminal.add_lab()
    (tmp_path / "cbor2.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w')\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(preparing, "SHORT_BYTES", 0)
    done = terminal.jrc(
        "pledge", "import", "-", stdin=b"pledge_id,psk\n01," + b"8c1d5f0ba7e34296d8317cb05efa6921\n"
    )
    assert (0, False) == (done.code, (tmp_path / "run").exists()), done.err
