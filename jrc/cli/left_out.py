"""What libraries would load that no daemon has a use for: megabytes, for as long as it runs."""

import sys
from types import ModuleType

_OPTIONAL = ("rich", "greenlet")
"""structlog takes them where it finds them: for tracebacks, and beside threads."""
_OF_UVICORN = ("Server", "main", "run")


def leave_out() -> None:
    """Have them not be found by what is imported from now on."""
    for name in _OPTIONAL:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type]
    # `import uvicorn` imports its command line, and with it click and multiprocessing.
    command_line = ModuleType("uvicorn.main")
    command_line.__dict__.update(dict.fromkeys(_OF_UVICORN))
    sys.modules.setdefault(command_line.__name__, command_line)
