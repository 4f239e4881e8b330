"""``python -m tests.documents.newcomer DOCUMENT``: its commands in a shell with nothing of ours.

The PATH is that of a machine with Python, git and make (`tests/bare.sh`), nothing is set, and `jrc`
is what the document puts there. `make setup` finds its environment made; `.ci/run` makes it with
that PATH. Scenes are those of the sandbox, in which documents are tried more quickly.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

from tests.documents.sandbox import PATIENCE_S, Sandbox
from tests.documents.scenes import SCENES
from tests.documents.trying import commands_of, try_in
from tests.forked import CHECKOUT

_SETTINGS = ("LANG", "TMPDIR", "PIP_INDEX_URL")
"""What a newcomer may have set."""


class Newcomer(Sandbox):
    """Processes in place of forked ones, and no programs in the place of others."""

    def __init__(self) -> None:
        super().__init__()
        self._bare = self.folder / "bare"
        subprocess.run(["sh", str(CHECKOUT / "tests/bare.sh"), str(self._bare)], check=True)
        (self._bare / "make").unlink()
        (self.folder / "bin" / "make").rename(self._bare / "make")
        self._begun: list[subprocess.Popen[str]] = []

    def __exit__(self, *error: object) -> None:
        for process in reversed(self._begun):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGINT)
            process.communicate(timeout=PATIENCE_S)
        super().__exit__(*error)

    def begin(self, text: str, until: str) -> None:
        """A command in a terminal of its own, once it has said ``until``."""
        process = subprocess.Popen(
            ["sh", "-c", self.rooted(text)],
            cwd=self._at,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._begun.append(process)
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if until in line:
                return
        raise AssertionError(f"{text} has ended without {until!r}: {''.join(said)}")

    def _environ(self) -> dict[str, str]:
        mine = {name: os.environ[name] for name in _SETTINGS if name in os.environ}
        mine |= {"HOME": str(self.folder), "PATH": str(self._bare)}
        return mine | self._exported


def main(document: str) -> None:
    """Pastes them, and says how long it took."""
    began_s = time.monotonic()
    some = commands_of(document)
    with Newcomer() as newcomer:
        try_in(newcomer, some, SCENES[document])
    print(f"{document}: {len(some)} commands in {time.monotonic() - began_s:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1])
