"""A forked process is to others what one with an interpreter of its own is."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import forked

PROBE = "tests.forked_probe"


@pytest.mark.parametrize("ending", ["none", "code", "words", "raised", "killed"])
def test_a_forked_process_leaves_what_an_executed_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """Exit code, output, errors; arguments, folder, environment and open files are its own."""
    monkeypatch.chdir(tmp_path)
    environ = {**os.environ, "JRC_PROBE": "given", "PYTHONPATH": str(forked.CHECKOUT)}
    told = forked.run(PROBE, ending, given="grün\n".encode(), environ=environ)
    wanted = subprocess.run(
        [sys.executable, "-m", PROBE, ending],
        input="grün\n".encode(), capture_output=True, env=environ, check=False,
    )  # fmt: skip
    assert (wanted.returncode, wanted.stdout) == (told.returncode, told.stdout)
    assert _last(wanted.stderr) == _last(told.stderr)


def _last(text: bytes) -> list[bytes]:
    """But for the frames of a traceback, which are of another program."""
    return text.splitlines()[:1] + text.splitlines()[-1:]


def test_a_forked_process_is_told_of_signals() -> None:
    """And its end by one is its exit code."""
    process = forked.piped("http.server", "0", "--bind", "127.0.0.1")
    assert process.poll() is None
    process.kill()
    assert -signal.SIGKILL == process.wait(forked.PATIENCE_S)
    assert process.stdout is not None
    process.stdout.close()
