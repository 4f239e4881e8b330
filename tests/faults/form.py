"""Which form of the fault tests runs: the short one of every change, or the long one.

``JRC_FAULTS=long`` is `make test-faults-long`; single figures have variables of their own.
"""

import os
import shutil
from typing import Final

import pytest

from tests.unshared import needs_namespace

IS_LONG: Final = os.environ.get("JRC_FAULTS") == "long"
SEED: Final = int(os.environ.get("JRC_FAULTS_SEED", "20310831"))

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
__all__ = ["IS_LONG", "SEED", "figure", "needs_namespace", "needs_strace"]


def figure(name: str, *, short: int, long: int) -> int:
    """A number of rounds: the variable ``name``, else that of the form."""
    return int(os.environ.get(name, long if IS_LONG else short))
