"""Faults of what is said, and when; each is built into a daemon by its name (``broken.py``)."""

import sys
import time
from typing import Any

from tests.faults.patching import replace

COMMIT_LATER_S = 0.1


class _Nobody:
    """A sender of nothing."""

    def send(self, *_given: Any) -> None:
        """Nothing."""


def answer_before_commit() -> None:
    """Answers leave first, and their transaction is committed a moment later."""
    from jrc.service.intake import Intake
    from jrc.store.connection import WriterConnection
    from jrc.store.database import Database

    intakes: list[Any] = []
    decided: list[Any] = []
    take, finish = Intake.take, Intake.finish
    join, commit = Database.join, WriterConnection.commit

    def taking(self: Any, datagrams: Any) -> None:
        intakes[:] = [self]
        take(self, datagrams)

    def joining(self: Any, work: Any, *rest: Any, **more: Any) -> Any:
        def deciding(joins: Any) -> Any:
            decided[:] = work(joins)
            return list(decided)

        return join(self, deciding, *rest, **more)

    def committing(self: Any, *given: Any) -> None:
        for outcome in decided:
            ask = outcome.ask
            if outcome.state is not None:
                intakes[0]._send(ask.known, ask.envelope, *outcome.protected, ask.way)
        decided.clear()
        time.sleep(COMMIT_LATER_S)
        commit(self, *given)

    def finishing(self: Any, outcomes: Any) -> None:
        sender, self._sender = self._sender, _Nobody()
        finish(self, outcomes)
        self._sender = sender

    replace(Intake, "take", taking)
    replace(Intake, "finish", finishing)
    replace(Database, "join", joining)
    replace(WriterConnection, "commit", committing)


def copies_encrypted_anew() -> None:
    """A copy of the last request goes through the whole exchange once more."""
    from jrc.cojp.replay import ReplayWindow
    from jrc.service.intake import Intake

    is_fresh, accept = ReplayWindow.is_fresh, ReplayWindow.accept

    def fresh(self: ReplayWindow, number: int) -> bool:
        return number == self.highest or is_fresh(self, number)

    def accepting(self: ReplayWindow, number: int) -> ReplayWindow:
        return self if number == self.highest else accept(self, number)

    replace(Intake, "_is_copy", lambda *_: False)
    replace(ReplayWindow, "is_fresh", fresh)
    replace(ReplayWindow, "accept", accepting)


def copies_by_token() -> None:
    """A copy counts as one only if a Join Proxy has given it the same token."""
    from jrc.cojp import envelope

    digest = envelope.digest

    def digest_with_token(request: Any) -> bytes:
        return digest(request._replace(ciphertext=request.ciphertext + request.token))

    replace(envelope, "digest", digest_with_token)


def old_token_resent() -> None:
    """A copy is answered with the token of the first request."""
    from jrc.service.intake import Intake

    send = Intake._send
    first: dict[bytes, bytes] = {}

    def sending(self: Any, known: Any, request: Any, option: Any, answer: Any, way: Any) -> None:
        token = first.setdefault(answer, request.token)
        send(self, known, request._replace(token=token), option, answer, way)

    replace(Intake, "_send", sending)


def window_before_decrypt() -> None:
    """A number counts as received before its tag was verified (RFC 8613 §8.2 step 6)."""
    from jrc.cojp import oscore
    from jrc.service import intake

    unprotect = intake._unprotect

    def moving(known: Any, request: Any) -> bytes | None:
        plaintext = unprotect(known, request)
        if plaintext is None:
            window = known.state.window.accept(oscore.decode_piv(request.partial_iv))
            known.state = known.state._replace(window=window)
        return plaintext

    replace(intake, "_unprotect", moving)


def numbers_unreserved() -> None:
    """Sender numbers are used without a word on disk."""
    from jrc.service import update

    reserve = update.reserve

    def reserving(state: Any, *rest: Any) -> Any:
        numbers, after = reserve(state, *rest)
        return numbers, after._replace(numbers_reserved=state.numbers_reserved)

    replace(update, "reserve", reserving)


def numbers_shared() -> None:
    """Every registrar tells nodes, and counts their sender numbers from its own memory."""
    from jrc.app.registrars import Registrars
    from jrc.store.nodes import Nodes

    memory: dict[tuple[int, int], int] = {}
    conduct, reach, save_told = Registrars._conduct, Nodes.reach, Nodes.save_told

    def own(self: Any, context_id: int) -> tuple[int, int]:
        return id(self._connection.engine), context_id

    def reaching(self: Any, pledge_ids: Any) -> Any:
        found = dict(reach(self, pledge_ids))
        for who, each in found.items():
            mine = memory.setdefault(own(self, each.context_id), each.state.numbers_reserved)
            found[who] = each._replace(state=each.state._replace(numbers_reserved=mine))
        return found

    def saving(self: Any, told: Any) -> None:
        kept = list(told)
        memory.update((own(self, each[0]), each[1].numbers_reserved) for each in kept)
        save_told(self, kept)

    replace(Registrars, "_conduct", lambda self, _is_conductor: conduct(self, True))
    replace(Nodes, "reach", reaching)
    replace(Nodes, "save_told", saving)


def psk_in_log() -> None:
    """A pledge's key stands in a line for those who look for faults."""
    from jrc.cojp import oscore_context

    derived = oscore_context._derived

    def deriving(master_secret: bytes, *rest: Any) -> Any:
        print(f"deriving from {master_secret.hex()}", file=sys.stderr, flush=True)
        return derived(master_secret, *rest)

    replace(oscore_context, "_derived", deriving)
