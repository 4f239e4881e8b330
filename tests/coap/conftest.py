"""The client of Parameter Updates, and a node that it talks to."""

import pytest

from tests.coap.update_bed import Bed, Node


@pytest.fixture
def bed() -> Bed:
    return Bed()


@pytest.fixture
def node() -> Node:
    return Node()
