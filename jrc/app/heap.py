"""The heap of the C library, in which SQLite, Rust and Python's larger objects have their memory.

glibc gives each of a process's first threads a heap of its own, so that they need not wait for each
other; what one thread has freed is then of no use to the others. The registrar has a handful of
threads that take turns, and each of their heaps would keep the most that it ever needed.
"""

import ctypes

_M_ARENA_MAX = -8
"""malloc.h."""


def share_heap() -> None:
    """Have all threads that begin from now on share one heap, if they would not anyway."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
