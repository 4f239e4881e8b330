"""No memory of this process in a file: keys are in it (RFC 9031 §9).

``PR_SET_DUMPABLE`` 0 (prctl(2)) leaves no core dump, also where a handler takes them through a
pipe whatever their limit is, and lets nobody but root read the memory or attach a debugger. A
program that is run from here (an installer) inherits the limit alone. Memory is not locked:
mlockall(2) needs a limit that users don't have, and Python copies what it handles; swap is for the
service manager to forbid (``MemorySwapMax=0``) or to be encrypted.
"""

import ctypes
import resource
from contextlib import suppress

_PR_GET_DUMPABLE, _PR_SET_DUMPABLE = 3, 4
"""linux/prctl.h."""


def forbid() -> bool:
    """Leave no core dump of this process; whether the kernel agrees."""
    # A service manager may forbid the call, and has set the limit itself then.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    return bool(prctl(_PR_GET_DUMPABLE, 0, 0, 0, 0) == 0)
