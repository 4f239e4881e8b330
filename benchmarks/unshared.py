"""Figures that need a network namespace of their own."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.client import MeasurementError
from benchmarks.report import Figure

_NAMESPACE = ("unshare", "--net", "--map-root-user")


def unshared_figures(module: str, *arguments: str) -> Iterator[Figure]:
    """What ``python -m module`` prints as JSON, one figure a line, on a host without any network.

    Raises:
        MeasurementError: no namespace can be made here, or it could not measure.
    """
    if shutil.which(_NAMESPACE[0]) is None or shutil.which("ip") is None:
        raise MeasurementError(f"{module} needs a network namespace: `unshare` and `ip`")
    command = (*_NAMESPACE, sys.executable, "-m", module, *arguments)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            yield Figure(**json.loads(line))
    if process.returncode:
        raise MeasurementError(f"{module} could not be measured in a network namespace")
