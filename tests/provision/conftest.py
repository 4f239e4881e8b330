"""The C receiver, compiled once."""

import ctypes

import pytest

from tests.provision.receiver import COMPILER, library


@pytest.fixture(scope="session")
def code(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The receiver's code."""
    if COMPILER is None:
        pytest.skip("needs a C compiler")
    return library(tmp_path_factory.mktemp("receiver"))
