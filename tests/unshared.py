"""Programs that run in a network namespace of their own, where one can be made."""

import functools
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import pytest

NAMESPACE = ("unshare", "--net", "--map-root-user")
PATIENCE_S = 120


@functools.cache
def is_possible() -> bool:
    """Whether this user can make a namespace with links in it."""
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        return False
    probe = (*NAMESPACE, "ip", "link", "add", "probe", "type", "veth")
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


needs_namespace = pytest.mark.skipif(not is_possible(), reason="no network namespaces here")


def run_inside(
    module: str,
    *arguments: str,
    patience_s: float = PATIENCE_S,
    namespace: Sequence[str] = NAMESPACE,
) -> dict[str, Any]:
    """What ``python -m module`` prints as JSON, on a host without any network."""
    command = (*namespace, sys.executable, "-m", module, *arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=patience_s, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen
