"""The API under requests that its own document makes up: no fault, and answers as documented.

``JRC_TEST_EXAMPLES`` is how many for each route.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jrc.admin.api import build_api
from jrc.admin.peers import as_this_process
from tests.admin import conforming
from tests.admin.registrar import Registrar
from tests.cli.terminal import PLEDGE, PSK

pytestmark = pytest.mark.api

EXAMPLES = int(os.environ.get("JRC_TEST_EXAMPLES", "12"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
THERE = {"pledge_id": PLEDGE, "network": "lab", "name": "lab"}


@schemathesis.serializer(
    "application/x-ndjson",
    "application/cbor",
    "application/cose-key",
    "application/cose-key-set",
    "application/yaml",
)
def _as_it_is(_context: object, value: object) -> bytes:
    """The body of an import is bytes, whatever its form."""
    return value if isinstance(value, bytes) else str(value).encode(errors="replace")


PHASES = {"coverage": {"enabled": False}, "examples": {"enabled": False}}

schema = schemathesis.openapi.from_dict(
    dict(conforming.the_document()), config=SchemathesisConfig.from_dict({"phases": PHASES})
)


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    """One with a network and a pledge; what is made up for a route changes this one alone."""
    with Registrar(tmp_path) as made:
        made.add_lab()
        body = {"pledge_id": PLEDGE, "psk": PSK}
        made.call("POST", "/v1/pledges", json=body).raise_for_status()
        yield made


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_no_request_meets_a_fault_and_every_answer_is_documented(
    case: "schemathesis.Case[Any]", registrar: Registrar
) -> None:
    """Half of them are about what is there, the others about what is not."""
    if len(str(case.path_parameters)) % 2:
        case.path_parameters = {name: THERE[name] for name in case.path_parameters or {}}
    app = as_this_process(build_api(registrar.services))
    case.call_and_validate(base_url="http://testserver", app=app, checks=CHECKS)
