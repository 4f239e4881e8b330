"""Runs targets under atheris, one after the other, each with its seeds as the first corpus.

``python -m tests.fuzz.engine TARGET... [OPTION...]``; the options are libFuzzer's.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz import tracing


def run(name: str) -> None:
    """Ends the process: with 0 when the time of this one target is over, else as ``run_all``."""
    run_all([name], sys.argv[1:])


def run_all(names: Sequence[str], options: Sequence[str]) -> None:
    """Ends the process: with 0 when the time is over, else with libFuzzer's code for the first.

    What they import is instrumented once, which takes longer than a short run. libFuzzer leaves no
    chance to clean up, so each target runs in a child and its corpus goes with us.
    """
    import atheris

    with atheris.instrument_imports(include=["jrc"]):
        from tests.fuzz import targets
    in_c = tracing.compiled()
    for name in names:
        print(f"== {name}", flush=True)
        target = getattr(targets, name)
        with TemporaryDirectory() as corpus:
            _write_seeds(targets.TARGETS[target], Path(corpus))
            pid = os.fork()
            if pid == 0:
                traced = tracing.traced_by(in_c, target) if in_c else target
                atheris.Setup([sys.argv[0], *options, corpus], traced)
                atheris.Fuzz()
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if code:
            sys.exit(code if code > 0 else 1)
    sys.exit()


def _write_seeds(seeds: Sequence[bytes], corpus: Path) -> None:
    for index, seed in enumerate(seeds):
        (corpus / f"seed-{index}").write_bytes(seed)


if __name__ == "__main__":
    words = sys.argv[1:]
    run_all(
        [word for word in words if not word.startswith("-")],
        [word for word in words if word.startswith("-")],
    )
