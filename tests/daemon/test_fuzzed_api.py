"""The API of a daemon, over TLS, under requests that its own document makes up.

``JRC_TEST_EXAMPLES`` is how many for each route. What comes of them stays in the daemon's
database: one route finds what others have left there.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from jrc.policy.scopes import Scope
from tests.admin import conforming
from tests.daemon.remote import on_tcp
from tests.daemon.site import Daemon, Site
from tests.daemon.wire import Wire

pytestmark = pytest.mark.api

EXAMPLES = int(os.environ.get("JRC_TEST_EXAMPLES", "24"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
FORBIDDEN = 403


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


HOW = {
    "phases": {"coverage": {"enabled": False}, "examples": {"enabled": False}},
    # Else most requests would have a token that is made up, and end at the gate.
    "generation": {"with-security-parameters": False},
}

schema = schemathesis.openapi.from_dict(
    dict(conforming.the_document()), config=SchemathesisConfig.from_dict(HOW)
)
changing = schema.exclude(
    lambda context: context.operation.definition.raw["x-scope"] in (None, Scope.READ)
)


@dataclass
class Far:
    """A daemon as a program elsewhere sees it; a connection for each token, as it would have."""

    daemon: Daemon
    url: str
    admin: requests.Session
    reader: requests.Session

    @property
    def there(self) -> dict[str, Any]:
        """Where a request goes; the certificate vouches for itself."""
        return {"base_url": self.url, "verify": str(self.daemon.site.folder / "cert.pem")}

    @classmethod
    def started(cls, site: Site) -> "Far":
        port = on_tcp(site)
        tokens = [
            site.run("token", "add", f"the-{scope}", "--scope", scope).stdout.strip()
            for scope in (Scope.ADMIN, Scope.READ)
        ]
        url = f"https://127.0.0.1:{port}"
        sessions = [_session(token) for token in tokens]
        return cls(site.start(), url, *sessions)

    def is_open(self) -> bool:
        """Whether it still does its work: no request has closed its database."""
        return self.daemon.api("GET", "/v1/status")["condition"] == "open"

    def newest_event(self) -> object:
        """The number of the newest entry of the audit log."""
        events: Any = self.daemon.api("GET", "/v1/events?limit=1")["events"]
        return events[0]["number"]

    def new_node(self) -> str:
        """A pledge that has joined the network ``lab``; its identifier."""
        if "lab" not in {each["name"] for each in self.networks()}:
            self.daemon.site.add_lab()
        device = self.daemon.enroll()
        with Wire(self.daemon.address) as wire:
            pledge = device.pledge()
            pledge.receive(wire.ask(pledge.request()))
        return device.identifier.hex()

    def networks(self) -> Any:
        """Those that there are."""
        return self.daemon.api("GET", "/v1/networks")["networks"]


def _session(token: str) -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    made.headers["Authorization"] = f"Bearer {token}"
    return made


class Keeper:
    """Has a daemon that is open; another one where a request was to close its database."""

    def __init__(self, template: Site, folder: Path) -> None:
        self._template = template
        self._folder = folder
        self._count = 0
        self._far: Far | None = None

    def far(self) -> Far:
        if self._far is not None and self._far.is_open():
            return self._far
        self.end()
        self._count += 1
        self._far = Far.started(self._template.copy(self._folder / str(self._count)))
        return self._far

    def end(self) -> None:
        """Stop it; that it does so in peace is a part of each test."""
        if self._far is not None:
            self._far.admin.close()
            self._far.reader.close()
            assert self._far.daemon.stop() == 0, "".join(self._far.daemon.log[-20:])


@pytest.fixture(scope="module")
def keeper(template: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeper]:
    made = Keeper(template, tmp_path_factory.mktemp("far"))
    yield made
    made.end()


@pytest.fixture
def far(keeper: Keeper) -> Far:
    return keeper.far()


@pytest.fixture
def node(far: Far) -> str:
    return far.new_node()


MADE_UP = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def _half_about(case: "schemathesis.Case[Any]", node: str) -> None:
    """Half of the cases are about what is there, the others about what is not."""
    there = {"pledge_id": node, "network": "lab", "name": "lab"}
    if len(str(case.path_parameters)) % 2:
        case.path_parameters = {name: there[name] for name in case.path_parameters or {}}


@schema.parametrize()
@MADE_UP
def test_no_request_meets_a_fault_and_every_answer_is_documented(
    case: "schemathesis.Case[Any]", far: Far, node: str
) -> None:
    """With a token that may do everything."""
    _half_about(case, node)
    case.call_and_validate(**far.there, session=far.admin, checks=CHECKS)


@changing.parametrize()
@settings(MADE_UP, max_examples=max(1, EXAMPLES // 4))
def test_whoever_may_read_changes_nothing(
    case: "schemathesis.Case[Any]", far: Far, node: str
) -> None:
    """Whatever the body is: the scope is looked at first."""
    _half_about(case, node)
    before = far.newest_event()
    answer = case.call(**far.there, session=far.reader)
    case.validate_response(answer, checks=CHECKS)
    assert (FORBIDDEN, before) == (answer.status_code, far.newest_event())
