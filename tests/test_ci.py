"""`.ci/run`, with programs that only say what they are."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
_PROGRAMS = (
    *(
        "git",
        "strace",
        "nft",
        "ip",
        "promtool",
        "systemd-analyze",
        "systemd-nspawn",
        "initdb",
        "cc",
    ),
    *("mandoc", "buildah", "crun", "strip", "chromium", "unshare", "apt-get"),
)
_MAKE = """\
case "$1" in
lint) echo "lint has found something"; touch {begun};;
test) until [ -e {begun} ]; do sleep 0.02; done; exit {code};;
docs) [ {code} = 0 ] || exec sleep 600;;
esac
"""


def run(folder: Path, code: int) -> subprocess.CompletedProcess[str]:
    """All checks; that of the tests ends with this code once the other row has begun."""
    programs = folder / "bin"
    programs.mkdir()
    texts = dict.fromkeys(_PROGRAMS, "")
    texts["id"] = "echo 0\n"  # whoever it is: then what is missing is installed, by that apt-get
    texts["make"] = _MAKE.format(begun=folder / "begun", code=code)
    for name, text in texts.items():
        (programs / name).write_text(f"#!/bin/sh\n{text}")
        (programs / name).chmod(0o755)
    environ = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(folder)}
    environ["PYTHON"] = sys.executable
    return subprocess.run(
        [CHECKOUT / ".ci/run"],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=environ,
    )


@pytest.mark.parametrize("code", [0, 3])
def test_what_the_other_row_of_checks_has_said_is_shown(tmp_path: Path, code: int) -> None:
    """Also where the first one fails, and the other is ended in the middle."""
    done = run(tmp_path, code)
    assert code == done.returncode, done.stderr
    assert 1 == done.stdout.count("lint has found something")
    assert (code == 0) == ("== make test-systemd" in done.stdout)
    assert (code == 0) == ("as far as it came" not in done.stdout)
    assert [] == list(tmp_path.glob("tmp.*"))
