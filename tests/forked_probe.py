"""Says what a process sees of itself, and ends as it is told: ``test_forked.py``."""

import os
import sys

print(sys.argv[1:], os.getcwd(), os.environ.get("JRC_PROBE"), __name__, os.isatty(0))
print(sys.stdin.read(), file=sys.stderr)
open_files = sorted(int(each) for each in os.listdir("/proc/self/fd"))
print([each for each in open_files if os.path.exists(f"/proc/self/fd/{each}")])
if sys.argv[1] == "killed":
    sys.stdout.flush()
    os.kill(os.getpid(), 9)
sys.exit({"none": None, "code": 7, "words": "in one sentence"}[sys.argv[1]])
