"""Tokens of the admin API: what counts, until when, and what nobody can make up."""

from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import pytest

from jrc.errors import ExitCode, OperatorError, StateError
from jrc.model import Condition
from jrc.policy.scopes import Scope
from jrc.service import tokens
from jrc.service.events import list_events
from jrc.service.token_store import TokenRecord
from jrc.service.tokens import (
    USE_NOTED_EVERY_MS,
    Doubt,
    add_token,
    check_token,
    lasting_tokens,
    list_tokens,
    needs_note,
    note_use,
    revoke_token,
)
from jrc.store.database import Database
from jrc.store.registry import StoreRegistry
from tests.desk import ACTOR, KEK, Desk

DAY_S = 86_400


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.close()


def add(
    desk: Desk, name: str = "ci", scope: Scope = Scope.IMPORT, life_s: int | None = DAY_S
) -> str:
    return desk.write(lambda tx: add_token(tx, name, scope, expires_in_s=life_s, actor=ACTOR)).token


def check(desk: Desk, text: str) -> TokenRecord | Doubt:
    return desk.read(lambda tx: check_token(tx, text))


def test_a_new_token_counts_for_its_scope_and_is_kept_as_a_hash_alone(desk: Desk) -> None:
    """256 bits at random behind a prefix that scanners know."""
    text = add(desk)
    assert len(text) == len("jrc_") + 43
    found = check(desk, text)
    assert isinstance(found, TokenRecord)
    assert (found.name, found.scope, found.hash) == (
        "ci",
        Scope.IMPORT,
        sha256(text.encode()).digest(),
    )
    assert add(desk, "other") != text
    dumped = repr(desk.sql("SELECT * FROM api_token")) + repr(desk.sql("SELECT * FROM event"))
    assert text[4:] not in dumped


@pytest.mark.parametrize("change", ["a", "b"])
def test_no_other_text_counts(desk: Desk, change: str) -> None:
    """One character more, less or other; other forms are not even looked up."""
    text = add(desk)
    last = "A" if text[-1] != "A" else "B"
    assert check(desk, text[:-1] + last) is Doubt.UNKNOWN
    for wrong in ("", text[:-1], text + change, text[4:], text.upper()[:4] + text[4:], text + "\n"):
        assert check(desk, wrong) is Doubt.MALFORMED


def test_a_token_ends_with_its_time_and_a_clock_set_back_makes_it_no_better(desk: Desk) -> None:
    """What the database has seen counts."""
    text = add(desk)
    desk.now_ms += 1000 * DAY_S - 1
    assert isinstance(check(desk, text), TokenRecord)
    desk.now_ms += 1
    assert check(desk, text) is Doubt.EXPIRED
    add(desk, "later")
    desk.now_ms -= 1000 * DAY_S
    assert check(desk, text) is Doubt.EXPIRED
    assert [each.state for each in desk.read(list_tokens)] == ["expired", "good"]


def test_a_revoked_token_counts_no_more_and_its_name_is_free(desk: Desk) -> None:
    """It stays in the list of all, and in the audit log with who and why."""
    text = add(desk)
    desk.write(lambda tx: revoke_token(tx, "ci", actor=ACTOR, reason="leaked"))
    assert check(desk, text) is Doubt.REVOKED
    assert desk.read(list_tokens) == []
    again = add(desk)
    assert isinstance(check(desk, again), TokenRecord)
    states = [each.state for each in desk.read(lambda tx: list_tokens(tx, with_past=True))]
    assert states == ["revoked", "good"]
    events = desk.read(lambda tx: list_events(tx, kind="token.revoked"))
    assert [(each.actor, each.reason, each.detail["name"]) for each in events] == [
        (ACTOR, "leaked", "ci")
    ]


def test_a_revocation_counts_at_every_registrar_of_the_database(desk: Desk) -> None:
    """Each looks it up for each request, and remembers none as good."""
    text = add(desk)
    with closing(Database.open(desk.url, KEK)) as other:

        def check_there() -> TokenRecord | Doubt:
            with other.read(desk.now_ms) as tx:
                return check_token(StoreRegistry(tx), text)

        assert isinstance(check_there(), TokenRecord)
        desk.write(lambda tx: revoke_token(tx, "ci", actor=ACTOR))
        assert check_there() is Doubt.REVOKED


def test_no_token_counts_in_a_database_that_may_be_an_old_copy(desk: Desk) -> None:
    """One that was revoked since would be good again; after the recovery all are made anew."""
    text = add(desk)
    desk.write(lambda tx: tx.set_condition(Condition.QUARANTINED, "old copy"))
    assert check(desk, text) is Doubt.CLOSED
    desk.write(lambda tx: tx.new_epoch(recovered=True))
    desk.write(lambda tx: tx.set_condition(Condition.OPEN))
    assert check(desk, text) is Doubt.REVOKED
    assert [each.state for each in desk.read(list_tokens)] == ["void"]


@pytest.mark.parametrize(
    "change",
    ["scope = 'admin'", "expires_at_ms = NULL", "incarnation = 7", "name = 'root'"],
)
def test_nobody_gets_in_by_writing_to_the_database(desk: Desk, change: str) -> None:
    """The row's MAC covers scope, end and name; a row that is made up has none that fits."""
    text = add(desk)
    desk.sql(f"UPDATE api_token SET {change}")
    assert check(desk, text) is Doubt.UNKNOWN
    with pytest.raises(StateError, match="api_token 1 does not authenticate"):
        desk.read(list_tokens)


def test_a_revocation_that_is_undone_by_hand_is_seen(desk: Desk) -> None:
    """It is the change that an attacker with the file would make."""
    text = add(desk)
    desk.write(lambda tx: revoke_token(tx, "ci", actor=ACTOR))
    desk.sql("UPDATE api_token SET revoked_at_ms = NULL")
    assert check(desk, text) is Doubt.UNKNOWN


def test_the_last_use_is_noted_once_an_hour(desk: Desk) -> None:
    """A commit for each request would be one for each look at the API."""
    text = add(desk)
    found = check(desk, text)
    assert isinstance(found, TokenRecord)
    assert desk.read(lambda tx: needs_note(tx, found))
    desk.write(lambda tx: note_use(tx, "ci"))
    desk.now_ms += USE_NOTED_EVERY_MS - 1
    noted = check(desk, text)
    assert isinstance(noted, TokenRecord)
    assert not desk.read(lambda tx: needs_note(tx, noted))
    desk.now_ms += 1
    assert desk.read(lambda tx: needs_note(tx, noted))
    assert desk.read(list_tokens)[0].last_used is not None


def test_a_use_that_is_noted_late_revives_no_token(desk: Desk) -> None:
    """Between the look and the note it may have been revoked."""
    text = add(desk)
    desk.write(lambda tx: revoke_token(tx, "ci", actor=ACTOR))
    desk.write(lambda tx: note_use(tx, "ci"))
    assert check(desk, text) is Doubt.REVOKED


@pytest.mark.parametrize("name", ["", "-x", "a b", "ä", "x" * 65, "a/b", "a\n"])
def test_a_name_that_would_puzzle_the_audit_log_is_refused(desk: Desk, name: str) -> None:
    """It is what stands there as who did it."""
    with pytest.raises(OperatorError, match="a token's name") as caught:
        add(desk, name)
    assert caught.value.exit_code is ExitCode.USAGE


def test_what_can_not_be_added_or_revoked_is_said(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is taken, a time out of bounds, one too many, one that is not there."""
    add(desk)
    with pytest.raises(OperatorError, match="there is a token called ci"):
        add(desk)
    with pytest.raises(OperatorError, match="expires"):
        add(desk, "never", life_s=0)
    monkeypatch.setattr(tokens, "MAX_TOKENS", 1)
    with pytest.raises(OperatorError, match="there are 1 tokens"):
        add(desk, "other")
    with pytest.raises(OperatorError, match="no token called 'cy'"):
        desk.write(lambda tx: revoke_token(tx, "cy", actor=ACTOR))


def test_tokens_without_an_end_are_known_by_name(desk: Desk) -> None:
    """`jrc doctor` warns of those that count."""
    add(desk, "short")
    add(desk, "for-ever", life_s=None)
    add(desk, "gone", life_s=None)
    desk.write(lambda tx: revoke_token(tx, "gone", actor=ACTOR))
    assert desk.read(lasting_tokens) == ["for-ever"]
