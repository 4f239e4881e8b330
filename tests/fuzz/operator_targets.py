"""What readers of an operator's small files and requests are held to: a value, or one sentence."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from jrc.admin.params import Params, json_params
from jrc.cli.identifiers import identifiers_from
from jrc.cli.keyfiles import DERIVED, derived_from, take_over_from
from jrc.coap.proxy_state import NodeState, _check
from jrc.errors import OperatorError
from jrc.model import PledgeId, Secret
from jrc.service.takeover import parse_take_over
from jrc.store import instancefile
from jrc.store.backup.restored import RestoredFinals
from jrc.store.keyfile import KEY_BYTES, key_text, paper_text, read_key
from tests.fuzz.file_targets import Target

_FILE = os.memfd_create("fuzzed")
_PATH = Path(f"/proc/self/fd/{_FILE}")
os.fchmod(_FILE, 0o600)


def _file(data: bytes) -> Path:
    """A file that holds ``data``; there is one at a time, and none on any disk."""
    os.ftruncate(_FILE, 0)
    os.pwrite(_FILE, data, 0)
    return _PATH


def fuzz_take_over(data: bytes) -> None:
    """Keys of a running network that are read make a set of keys (``--keys-file``)."""
    with suppress(OperatorError):
        taken = parse_take_over(take_over_from(str(_file(data))))
        assert len(taken.key_set(1).keys) == len(taken.keys) > 0
        assert all(0 <= value <= 0xFFFF for value in taken.values)


def fuzz_identifier_list(data: bytes) -> None:
    """Identifiers of a list are identifiers, each once, and are read again as they are written."""
    with suppress(OperatorError):
        found = identifiers_from(str(_file(data)))
        assert found == list(dict.fromkeys(str(PledgeId.from_hex(each)) for each in found))
        assert found == identifiers_from(str(_file(json.dumps(found).encode())))


def fuzz_admin_body(data: bytes) -> None:
    """A body gives parameters of the wanted type, whatever is asked of them."""
    known = ("a", "b", "c", "reason")
    with suppress(OperatorError):
        params = _params(data, known)
        for name in known:
            _ask(params, name)
        with suppress(OperatorError):
            assert isinstance(params.reason(), str)


def _params(data: bytes, known: tuple[str, ...]) -> Params:
    async def stream() -> AsyncIterator[bytes]:
        yield data[: len(data) // 2]
        yield data[len(data) // 2 :]

    request: Any = SimpleNamespace(stream=stream)
    try:
        json_params(request, known).send(None)
    except StopIteration as done:
        params: Params = done.value
        return params
    raise AssertionError("it waits for nothing")


def _ask(params: Params, name: str) -> None:
    asked = (
        (params.maybe_text, str), (params.maybe_texts, tuple), (params.maybe_numbers, tuple),
        (params.maybe_number, int), (params.maybe_object, dict), (params.flag, bool),
        (params.secret, Secret),
    )  # fmt: skip
    for take, kind in asked:
        with suppress(OperatorError):
            value = take(name)
            assert value is None or isinstance(value, kind)


def fuzz_instance_file(data: bytes) -> None:
    """What is remembered of a database would be remembered the same way."""
    with suppress(OperatorError):
        memory = instancefile.read(_file(data))
        assert memory == instancefile.read(_file(json.dumps(memory.fields()).encode()))


def fuzz_restored_record(data: bytes) -> None:
    """A record of final backups that is damaged says no, or that it can't be read."""
    with suppress(OperatorError):
        RestoredFinals(_file(data)).has(bytes(16))


def fuzz_key_file(data: bytes) -> None:
    """A key has its length, and is read again from a file and from paper."""
    with suppress(OperatorError):
        key = read_key(_file(data))
        assert len(key.reveal()) == KEY_BYTES
        for text in (key_text(key), paper_text(key)):
            assert key.reveal() == read_key(_file(text.encode())).reveal()


def fuzz_derived_file(data: bytes) -> None:
    """Derived keys are three texts in hex (RFC 9031 App. B)."""
    with suppress(OperatorError):
        found = derived_from(str(_file(data)))
        assert set(found) == set(DERIVED)
        assert all(bytes.fromhex(value) for value in found.values())


_PSK, _PROXY = Secret(bytes(range(16))), bytes.fromhex("141592cc00000009")
_MARK = NodeState(_PATH, _PROXY, _PSK)._mark


def fuzz_proxy_state(data: bytes) -> None:
    """A proxy's state is good or refused, also where somebody has made its checksum right."""
    for content in (data, _with_check(data)):
        with suppress(OperatorError):
            NodeState.check(_file(content), _PROXY, _PSK)


def _with_check(data: bytes) -> bytes:
    with suppress(ValueError, RecursionError):
        fields = json.loads(data)
        if isinstance(fields, dict):
            fields.pop("check", None)
            return json.dumps({**fields, "check": _check(fields)}).encode()
    return data


_KEY: dict[str, object] = {"key_id": 1, "key_usage": 0, "value": "deadbeefcafe" * 2 + "deadbeef"}
_MEMORY: dict[str, object] = {"epoch": "00" * 16, "commit_number": 7}
_STATE: dict[str, object] = {
    "format": 1, "mark": _MARK, "reserved": 9, "high_water_s": 1_800_000_000, "window": [3, 7],
    "id_context": "00" * 24,
}  # fmt: skip

OPERATOR_TARGETS: dict[Target, tuple[bytes, ...]] = {
    fuzz_take_over: (
        json.dumps({"version": 1, "keys": [_KEY], "short_ids_in_use": ["0001-0003"]}).encode(),
        b'{"version": 1, "version": 2, "keys": []}',
        b'{"keys": [{"key_id": 1e999}]}',
        b"[" * 50,
    ),
    fuzz_identifier_list: (
        b"00124b0014b5b67e # one\n00:12:4b:00:14:b5:b6:7f\n",
        b'["00124b0014b5b67e", {"pledge_id": "00124b0014b5b67f"}]',
        b"\xef\xbb\xbf[[[[",
    ),
    fuzz_admin_body: (
        b'{"a": "cafe", "b": [1, 2], "c": {"x": 1}, "reason": "why"}',
        b'{"a": ["x"], "b": 1e999, "c": "\\ud800", "d": 1}',
        b'{"a": 99999999999999999999, "b": true, "c": "1"}',
    ),
    fuzz_instance_file: (
        json.dumps(_MEMORY).encode(),
        json.dumps(
            {
                **_MEMORY,
                "event": {"number": 3, "hash": "00" * 32},
                "file": _MEMORY,
                "expected": _MEMORY,
            }
        ).encode(),
        b'{"epoch": "", "commit_number": 1e999}',
    ),
    fuzz_restored_record: (
        b'{"epoch": "00000000000000000000000000000000", "backup": "00", "at_ms": 1}\n',
        b"[[[[\n{}\n1\n",
    ),
    fuzz_key_file: (
        key_text(Secret(bytes(KEY_BYTES))).encode(),
        paper_text(Secret(bytes(range(KEY_BYTES)))).encode(),
        b"\xff\x00",
    ),
    fuzz_derived_file: (
        json.dumps(dict.fromkeys(DERIVED, "00:11-22")).encode(),
        json.dumps(dict.fromkeys(DERIVED, 5)).encode(),
    ),
    fuzz_proxy_state: (
        json.dumps(_STATE).encode(),
        json.dumps({**_STATE, "window": None, "id_context": None}).encode(),
        json.dumps({**_STATE, "window": [1, 2, 3], "reserved": 1e308}).encode(),
        b'{"format": 1, "reserved": 1, "high_water_s": 1, "window": null}',
        b'{"format": 1, "mark": "", "reserved": 1e999, "high_water_s": 1, "window": null}',
    ),
}
"""Seeds by target."""
