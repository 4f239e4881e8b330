"""What every test shares: its own logging, and properties without deadlines on a busy machine."""

from collections.abc import Iterator

import pytest
import structlog
from hypothesis import settings

settings.register_profile("jrc", deadline=None, print_blob=True)
settings.load_profile("jrc")


@pytest.fixture(autouse=True, scope="module")
def _logging_of_its_own() -> Iterator[None]:
    """What tests before these have set up of logging is gone."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()
