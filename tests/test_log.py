"""Log lines carry no key, whatever is handed to the logger."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import pytest
import structlog

from jrc import log
from jrc.model import PledgeId, Secret

KEY = bytes.fromhex("e6bf4287c2d7618d6a9687445ffd33e6")
FORMS = (KEY.hex(), KEY.hex().upper(), str(KEY), repr(KEY)[2:-1])
Lines = Callable[[], list[str]]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _untouched_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def written(style: str, **values: object) -> str:
    """What one line with ``values`` looks like."""
    stream = io.StringIO()
    log.configure("info", style, stream)  # type: ignore[arg-type]
    structlog.get_logger().info("something happened", **values)
    return stream.getvalue()


def line(**values: object) -> dict[str, object]:
    """One JSON line with ``values``, read back."""
    read = json.loads(written("json", **values))
    assert isinstance(read, dict)
    return read


@dataclass
class Record:
    """Something with a key in it."""

    label: str
    sender_key: bytes
    inner: Secret


class Word(StrEnum):
    """An enum, as the reasons are."""

    BAD_TAG = "bad_tag"


@pytest.mark.parametrize("style", ["json", "console"])
@pytest.mark.parametrize(
    "values",
    [
        {"anything": Secret(KEY)},
        {"psk": KEY},
        {"psk": KEY.hex()},
        {"PSK": KEY.hex()},
        {"kek": KEY},
        {"sender-key": KEY},
        {"link_layer_key": KEY.hex()},
        {"common_iv": KEY},
        {"master_secret": [KEY]},
        {"keys": [KEY.hex(), KEY.hex()]},
        {"request": {"network": "lab", "psk": KEY.hex()}},
        {"rows": [{"a": [{"psk": KEY}]}]},
        {"record": Record("x", KEY, Secret(KEY))},
        {"records": (Record("x", KEY, Secret(KEY)),)},
        {"url": f"postgresql://jrc:{KEY.hex()}@db/jrc"},
        {"url": f"postgresql+psycopg://u@h/db?password={KEY.hex()}"},
        {"url": f"postgresql://u@h/db?sslmode=require&password={KEY.hex()}&x=1"},
        {"url": f"postgresql://u@h/db?sslpassword={KEY.hex()}"},
        {"said": f"connects to 'postgresql://u@h/db?PASSWORD={KEY.hex()}', and fails"},
        {"said": f"see http://127.0.0.1:9632/#key={KEY.hex()}"},
        {"said": f"Bearer jrc_{KEY.hex()}abcd_efgh-A is no token"},
        *({name: KEY.hex()} for name in ("token", "session", "page_link", "bearer", "cookie")),
    ],
)
def test_a_key_is_not_written_in_any_form(style: str, values: dict[str, object]) -> None:
    """By type, by name, nested in lists, mappings and records, and inside a URL."""
    text = written(style, **values)
    assert [form for form in FORMS if form in text] == []
    assert "[redacted]" in text


def test_names_near_a_secret_ones_stay_readable() -> None:
    """A key identifier or a count of keys is what an operator looks for."""
    shown = line(key_id=1, key_usage=0, keys=3, key_domain="lab", monkey="Coco", psk=None)
    expected = {"key_id": 1, "key_usage": 0, "keys": 3, "key_domain": "lab", "monkey": "Coco"}
    assert expected == {name: shown[name] for name in expected}
    assert shown["psk"] is None


def test_who_has_acted_stays_readable() -> None:
    """A token's name is none, nor is a link between hosts, nor what only begins like a token."""
    told = {"actor": "token=t-import", "sessions": 2, "unit": "jrc_api-and-other-words"}
    said = "db at postgresql://jrc@h/db?sslmode=verify-full: keep the password elsewhere"
    shown = line(**told, said=said)
    assert {**told, "said": said} == {name: shown[name] for name in (*told, "said")}


def test_what_stands_around_a_secret_stays() -> None:
    """The host that can't be reached is what the line is about."""
    shown = line(url="postgresql://u:x@h/db?password=p&sslmode=off", page="http://l/#key=abc")
    assert "postgresql://u:[redacted]@h/db?password=[redacted]&sslmode=off" == shown["url"]
    assert "http://l/#key=[redacted]" == shown["page"]


def test_bytes_are_hex_and_cut_at_32() -> None:
    """A stranger's identifier costs no more than a short one."""
    shown = line(short=b"\x00\x01", exact=bytes(32), long=bytes(33), view=memoryview(b"\xff"))
    assert shown["short"] == "0001"
    assert shown["exact"] == "00" * 32
    assert shown["long"] == "00" * 32 + "...(+1)"
    assert shown["view"] == "ff"


def test_value_types_are_written_as_people_write_them() -> None:
    """Identifiers as hex, enums as their value."""
    long = PledgeId(bytes(range(60)))
    shown = line(pledge=PledgeId(b"\xab\xcd"), long=long, reason=Word.BAD_TAG, some={3},
                 what=OSError("no"))  # fmt: skip
    assert shown["pledge"] == "abcd"
    assert shown["long"] == long.value.hex()
    assert shown["reason"] == "bad_tag"
    assert shown["some"] == [3]
    assert shown["what"] == "no"


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_value_cannot_begin_a_line_or_drive_a_terminal(style: str) -> None:
    """A label comes from an import file, and a log is read on a terminal."""
    hostile = "a\nsomething else happened\x1b[2J"
    stream = io.StringIO()
    log.configure("info", style, stream)  # type: ignore[arg-type]
    structlog.get_logger().info("imported", label=hostile, row={hostile: hostile})
    structlog.get_logger().info(hostile)
    logging.getLogger("library").warning("given %s", hostile)
    assert stream.getvalue().count("\n") == 3
    assert "\x1b" not in stream.getvalue()


def test_endless_nesting_ends() -> None:
    """A list that holds itself does not stop the daemon."""
    endless: list[object] = []
    endless.append(endless)
    assert "..." in written("json", endless=endless)


@pytest.mark.parametrize("style", ["json", "console"])
def test_a_traceback_shows_no_local_variable_and_no_password(style: str) -> None:
    """Keys are in local variables where errors happen."""
    stream = io.StringIO()
    log.configure("info", style, stream)  # type: ignore[arg-type]
    local = KEY.hex()
    try:
        raise ValueError("can't reach postgresql://jrc:" + local + "@db/jrc")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert "Traceback" in stream.getvalue()
    assert "@db/jrc" in stream.getvalue()
    assert local not in stream.getvalue()


def test_auto_is_console_on_a_terminal_and_json_elsewhere() -> None:
    """A service manager gets JSON, a person gets text."""
    terminal = Terminal()
    log.configure("info", "auto", terminal)
    structlog.get_logger().info("hello", n=1)
    with pytest.raises(json.JSONDecodeError):
        json.loads(terminal.getvalue())
    shown = json.loads(written("auto", n=1))
    assert shown["event"] == "something happened"
    assert shown["level"] == "info"
    assert str(shown["timestamp"]).endswith("Z")


def test_it_may_be_set_up_again_with_the_same_handler() -> None:
    """As a reload does: each line comes once, at the level that was set last."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    for level in ("debug", "info", "warning"):
        log.configure(level, "json", stream, handler)
    structlog.get_logger().info("quiet")
    structlog.get_logger().warning("loud")
    assert ["loud"] == [json.loads(each)["event"] for each in stream.getvalue().splitlines()]
    assert 1 == len(handler.filters)


def test_what_libraries_log_takes_the_same_way_and_level() -> None:
    """The standard library's records become the same lines, redacted."""
    stream = io.StringIO()
    log.configure("warning", "json", stream)
    logging.getLogger("library").info("quiet")
    structlog.get_logger().info("quiet")
    logging.getLogger("library").warning("given %s", Secret(KEY))
    only = json.loads(stream.getvalue())
    assert only["event"] == "given [redacted]"
    assert only["level"] == "warning"
