"""Runs one target under atheris, with its seeds as the first corpus."""

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

_CHILD = "JRC_FUZZ_CHILD"


def run(name: str) -> None:
    """Ends the process: with 0 when the time is over, else with libFuzzer's code.

    libFuzzer leaves no chance to clean up, so it runs in a child and the corpus goes with us.
    """
    if os.environ.get(_CHILD):
        _fuzz(name)
    with TemporaryDirectory() as corpus:
        _write_seeds(name, Path(corpus))
        command = [sys.executable, *sys.argv, corpus]
        sys.exit(subprocess.call(command, env={**os.environ, _CHILD: "1"}))


def _write_seeds(name: str, corpus: Path) -> None:
    from tests.fuzz import targets

    for index, seed in enumerate(targets.TARGETS[getattr(targets, name)]):
        (corpus / f"seed-{index}").write_bytes(seed)


def _fuzz(name: str) -> None:
    import atheris

    with atheris.instrument_imports(include=["jrc"]):
        from tests.fuzz import targets
    atheris.Setup(sys.argv, getattr(targets, name))
    atheris.Fuzz()
