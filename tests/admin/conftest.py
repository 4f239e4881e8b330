"""What makes up requests is loaded for `make test-api` alone: it takes a second of each run."""

from pathlib import Path

import pytest


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Whether a file is left out; None leaves that to others."""
    is_wanted = config.getoption("markexpr") == "api"
    return True if collection_path.name == "test_fuzzed.py" and not is_wanted else None
