"""The fixtures of the daemon's own tests."""

from tests.daemon.conftest import site, template

__all__ = ["site", "template"]
