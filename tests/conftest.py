"""What every test shares: its own logging, and properties without deadlines on a busy machine."""

import gc
import signal
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

from tests import warm

settings.register_profile("jrc", deadline=None, print_blob=True)
settings.load_profile("jrc")
warm.keep()
# What a shell runs in the background ignores Ctrl-C, and so would each command that a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """What all tests have in common is looked through for rubbish once, and not time and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def _logging_of_its_own() -> Iterator[None]:
    """What tests before these have set up of logging is gone."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
