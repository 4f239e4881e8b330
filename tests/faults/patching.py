"""How a daemon is broken on purpose: a function of it is put aside for a worse one."""

from typing import Any


def replace(owner: Any, name: str, by: Any) -> None:
    """Put ``by`` where a function of the daemon was; fails if there was none."""
    assert hasattr(owner, name), name
    setattr(owner, name, by)
