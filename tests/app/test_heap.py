"""One heap for all threads."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

_PROGRAM = """
import ctypes, os, sys, threading
from jrc.cli.main import main
if sys.argv[1:]:
    main(["--config", *sys.argv[1:], "run"])
malloc = ctypes.CDLL(None).malloc
together = threading.Barrier(4)
def use():
    together.wait()  # each of them is there while the others are
    malloc(5000)
threads = [threading.Thread(target=use) for _ in range(3)]
for each in threads:
    each.start()
use()
for each in threads:
    each.join()
libc = ctypes.CDLL(None)
libc.fdopen.restype = ctypes.c_void_p
stream = ctypes.c_void_p(libc.fdopen(os.dup(1), b"w"))
libc.malloc_info(0, stream)
libc.fflush(stream)
"""


def _heaps(*arguments: str) -> int:
    command = [sys.executable, "-c", _PROGRAM, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.count("<heap ")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="others have one heap anyway")
def test_threads_share_one_heap_where_the_c_library_would_give_each_its_own(
    tmp_path: Path,
) -> None:
    """What one thread has freed serves the others; a daemon that can't start is one, too."""
    config = tmp_path / "config.toml"
    config.write_text(f'[database]\nurl = "sqlite:///{tmp_path}/none.db"\n')
    assert _heaps() > 1, "else this proves nothing"
    assert 1 == _heaps(str(config))
