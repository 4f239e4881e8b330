"""``/v1/keys``: what seals the database. Of secrets only the keys of new slots go over the socket.

A rotation of data keys goes on with each request, so that whoever asked for it sees how far it is;
where it has come to is in memory alone, as looking at rows twice changes nothing.
"""

from dataclasses import asdict
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from jrc.admin.contract import Operation, get, post
from jrc.admin.fields import REASON, TRUTH, hexed, obliged, text, texts, word
from jrc.admin.params import Params, choice, json_params
from jrc.admin.peers import actor_of
from jrc.admin.services import Services
from jrc.errors import ExitCode, OperatorError
from jrc.model import Secret
from jrc.policy.scopes import Scope
from jrc.service.key_records import Course, NewSlot, SlotKind
from jrc.service.key_slots import (
    KeysReport,
    RotationReport,
    add_slot,
    begin_rotation,
    go_on_rotating,
    remove_slot,
    rotate_kek,
    show_keys,
)

KEY_BYTES = 32
_KEY = hexed("key", octets=KEY_BYTES).schema


class KeyRoutes:
    """The handlers."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._course: Course | None = None

    def operations(self) -> list[Operation]:
        """The routes, for ``build_api``."""
        name = obliged(text("name", "The slot's name."))
        key = hexed("key", "Of a slot of the kind file: its key.", KEY_BYTES)
        public = hexed("public_key", "Of a recovery slot: its X25519 public key.", KEY_BYTES)
        others = texts("others", "The keys of the other file slots.", _KEY)
        change = partial(post, needs=Scope.ADMIN)
        return [
            get("/v1/keys", self.show, KeysReport),
            change(
                "/v1/keys/slots",
                self.add,
                KeysReport,
                body=(name, obliged(word("kind", SlotKind)), key, public, REASON),
            ),
            change(
                "/v1/keys/slots/{name}", self.remove, KeysReport, body=(REASON,), method="DELETE"
            ),
            change(
                "/v1/keys/rotate",
                self.rotate,
                KeysReport,
                body=(others, hexed("replacement", "A new key for this slot.", KEY_BYTES), REASON),
            ),
            change("/v1/keys/rotation", self.begin, {"begun": TRUTH}, body=(REASON,)),
            change("/v1/keys/rotation/step", self.step, RotationReport, body=(REASON,)),
        ]

    async def show(self, _request: Request) -> Response:
        """Slots and data keys."""
        try:
            key: Secret | None = self._services.slot_key()
        except OperatorError:
            key = None
        return _shown(await self._services.run_read(lambda tx: show_keys(tx, key)))

    async def add(self, request: Request) -> Response:
        """Add a slot."""
        params = await json_params(request)
        slot, key = _new_slot(params), self._services.slot_key()
        actor, reason = actor_of(request.scope), params.reason()
        added = partial(add_slot, slot_key=key, slot=slot, actor=actor, reason=reason)
        return _shown(await self._services.run_write(added))

    async def remove(self, request: Request) -> Response:
        """Remove a slot."""
        params = await json_params(request)
        name, key = request.path_params["name"], self._services.slot_key()
        actor, reason = actor_of(request.scope), params.reason()
        removed = partial(remove_slot, name=name, slot_key=key, actor=actor, reason=reason)
        return _shown(await self._services.run_write(removed))

    async def rotate(self, request: Request) -> Response:
        """A new key encryption key."""
        params = await json_params(request)
        others = [_key("others", text) for text in params.maybe_texts("others") or ()]
        new = params.maybe_text("replacement")
        rotated = partial(
            rotate_kek,
            slot_key=self._services.slot_key(),
            others=others,
            replacement=None if new is None else _key("replacement", new),
            actor=actor_of(request.scope),
            reason=params.reason(),
        )
        return _shown(await self._services.run_write(rotated))

    async def begin(self, request: Request) -> Response:
        """New data keys, if none are being changed to."""
        params = await json_params(request)
        key, actor, reason = self._services.slot_key(), actor_of(request.scope), params.reason()
        begun = await self._services.run_write(
            lambda tx: begin_rotation(tx, key, actor=actor, reason=reason)
        )
        self._course = None
        return JSONResponse({"begun": begun})

    async def step(self, request: Request) -> Response:
        """A few rows more."""
        params = await json_params(request)
        course, actor, reason = self._course, actor_of(request.scope), params.reason()
        self._course, report = await self._services.run_write(
            lambda tx: go_on_rotating(tx, course, actor=actor, reason=reason)
        )
        return JSONResponse(asdict(report))


def _shown(report: KeysReport) -> Response:
    return JSONResponse(asdict(report))


def _new_slot(params: Params) -> NewSlot:
    """The slot that a request describes.

    Raises:
        OperatorError: it has no name or kind, or not the one key that its kind has.
    """
    kind = params.parsed("kind", choice(SlotKind))
    if kind is None:
        raise OperatorError("kind is missing", exit_code=ExitCode.USAGE)
    name = params.text("name")
    if kind is SlotKind.FILE:
        return NewSlot(name, kind, key=_key("key", params.text("key")))
    return NewSlot(name, kind, public_key=_key("public_key", params.text("public_key")).reveal())


def _key(name: str, text: str) -> Secret:
    try:
        value = bytes.fromhex(text)
    except ValueError:
        value = b""
    if len(value) != KEY_BYTES:
        raise OperatorError(f"{name} must be {KEY_BYTES} bytes in hex", exit_code=ExitCode.USAGE)
    return Secret(value)
