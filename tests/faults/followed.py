"""`jrc` that begins once strace follows it: ``python -m tests.faults.followed ARGUMENT...``."""

import sys
import time
from pathlib import Path

from jrc.cli.main import main

PATIENCE_S = 60.0
LOOK_AGAIN_S = 0.01


def wait_for_the_tracer() -> None:
    """Until there is one; ends the process if none comes."""
    ends_s = time.monotonic() + PATIENCE_S
    while "TracerPid:\t0\n" in Path("/proc/self/status").read_text():
        if time.monotonic() > ends_s:
            sys.exit("strace does not follow")
        time.sleep(LOOK_AGAIN_S)


if __name__ == "__main__":
    wait_for_the_tracer()
    sys.exit(main(sys.argv[1:]))
