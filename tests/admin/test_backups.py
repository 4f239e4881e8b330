"""``/v1/backups``."""

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from jrc.model import Condition, Secret
from jrc.store.backup.container import Header, read_header
from jrc.store.backup.content import Head, Ignored, read_content
from jrc.store.backup.seal import new_identity
from tests.admin.registrar import Registrar


@pytest.fixture
def registrar(tmp_path: Path) -> Iterator[Registrar]:
    with Registrar(tmp_path) as opened:
        opened.add_lab()
        yield opened


def wish(recipient: str, **more: object) -> dict[str, object]:
    return {"recipients": [recipient], "header": Header().digest.hex(), **more}


def head(content: bytes, identity: Secret) -> Head:
    file = io.BytesIO(Header().encoded() + content)
    return read_content(file, read_header(file, "b"), [identity], Ignored(), "b").head


def condition(registrar: Registrar) -> str:
    return registrar.services.database.read_instance().condition


def test_a_backup_is_the_body_of_the_answer(registrar: Registrar) -> None:
    """Sealed for the caller, who makes the file; the audit log knows who asked."""
    identity, recipient = new_identity()
    answer = registrar.call("POST", "/v1/backups", json=wish(recipient, reason="nightly"))
    assert (200, "application/octet-stream") == (
        answer.status_code,
        answer.headers["content-type"],
    )
    assert not head(answer.content, identity).is_final
    (event,) = registrar.call("GET", "/v1/events?limit=1").json()["events"]
    assert ("backup.begun", "nightly") == (event["kind"], event["reason"])
    assert event["actor"].startswith("uid=")


def test_a_final_one_ends_the_database_and_can_be_asked_for_again(registrar: Registrar) -> None:
    """Whoever lost the first needs another one; nothing else is written then."""
    identity, recipient = new_identity()
    for _ in range(2):
        answer = registrar.call("POST", "/v1/backups", json=wish(recipient, final=True))
        assert head(answer.content, identity).is_final
        assert Condition.MOVED == condition(registrar)
    events = registrar.call("GET", "/v1/events?limit=500").json()["events"]
    assert 1 == sum(event["kind"] == "database.moved" for event in events)


def test_a_quarantined_database_does_not_move(registrar: Registrar) -> None:
    """What was lost would be lost on the other host as well; an ordinary backup is made."""
    _, recipient = new_identity()
    registrar.services.database.write(
        lambda tx: tx.ledger.set_condition(Condition.QUARANTINED, "old"), 1_800_000_000_000
    )
    refused = registrar.call("POST", "/v1/backups", json=wish(recipient, final=True))
    assert (409, True) == (refused.status_code, "quarantined" in refused.json()["error"])
    assert Condition.QUARANTINED == condition(registrar)
    assert 200 == registrar.call("POST", "/v1/backups", json=wish(recipient)).status_code


@pytest.mark.parametrize(
    "wrong",
    [
        {"recipients": []},
        {"recipients": ["age1nobody"]},
        {"recipients": ["x"] * 17},
        {"header": "00"},
        {"header": "zz"},
        {"more": 1},
    ],
)
def test_a_wish_that_makes_no_sense_changes_nothing(
    registrar: Registrar, wrong: dict[str, object]
) -> None:
    """Least of all is the database moved for a recipient that is none."""
    _, recipient = new_identity()
    body = {**wish(recipient, final=True), **wrong}
    assert 400 == registrar.call("POST", "/v1/backups", json=body).status_code
    assert Condition.OPEN == condition(registrar)


def test_a_backup_that_is_whole_is_noted(registrar: Registrar) -> None:
    """In the audit log with who has told; a database that was moved stays as it was."""

    def made() -> list[tuple[str, str]]:
        events = registrar.call("GET", "/v1/events?kind=backup.made").json()["events"]
        return [(event["reason"], event["actor"][:4]) for event in events]

    told = registrar.call("POST", "/v1/backups/made", json={"reason": "cron"})
    assert ({"noted": True}, [("cron", "uid=")]) == (told.json(), made())
    _, recipient = new_identity()
    registrar.call("POST", "/v1/backups", json=wish(recipient, final=True))
    again = registrar.call("POST", "/v1/backups/made", json={})
    assert ({"noted": False}, 1) == (again.json(), len(made()))


def test_a_backup_that_failed_elsewhere_is_noted(registrar: Registrar) -> None:
    """In the audit log with who has told, and in the daemon's log."""
    with capture_logs() as logs:
        told = registrar.call("POST", "/v1/backups/failed", json={"reason": "cron: no room"})
    assert told.json() == {"noted": True}
    (event,) = registrar.call("GET", "/v1/events?kind=backup.failed").json()["events"]
    assert (event["reason"], event["actor"][:4]) == ("cron: no room", "uid=")
    assert [(each["event"], each["error"]) for each in logs] == [("backup_failed", "cron: no room")]
