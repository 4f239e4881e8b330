"""The calls that atheris puts into bytecode, made in C where there is a compiler.

Most of a target's time goes there: a datagram of a hundred bytes is a thousand calls.
"""

import subprocess
import sys
import sysconfig
from collections.abc import Callable
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

Target = Callable[[bytes], None]

_SOURCE = Path(__file__).with_suffix(".c")
_NAME = "tracing_c"


def compiled() -> ModuleType | None:
    """The module that ``tracing.c`` makes; None, and a word of it, where it can't be compiled."""
    include = sysconfig.get_paths()["include"]
    with TemporaryDirectory() as folder:
        library = f"{folder}/{_NAME}.so"
        command = ["cc", "-O2", "-shared", "-fPIC", f"-I{include}", str(_SOURCE), "-o", library]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            print("no C compiler, or no Python.h: the targets run, but slower", file=sys.stderr)
            return None
        spec = spec_from_loader(_NAME, ExtensionFileLoader(_NAME, library))
        assert spec is not None
        return module_from_spec(spec)


def traced_by(module: ModuleType, target: Target) -> Target:
    """``target``, traced by ``module`` from its first call on: ``atheris.Fuzz`` sets its own."""
    import atheris

    begun = False

    def call(data: bytes) -> None:
        nonlocal begun
        if not begun:
            begun = True
            _begin(atheris, module)
        target(data)

    return call


def _begin(atheris: Any, module: ModuleType) -> None:
    from atheris import core_with_libfuzzer

    places = atheris._reserve_counter()
    module.begin(core_with_libfuzzer.__file__, places, atheris._trace_cmp)
    atheris._trace_branch, atheris._trace_cmp = module.branch, module.cmp
