"""Values that can't be meant: one sentence that names the option, and what there is instead."""

import pytest

from jrc.errors import ExitCode
from tests.cli.terminal import PREFIX, Terminal


@pytest.mark.parametrize("words", [("add", "hall", "--network-id", "beef"), ("set", "lab")])
@pytest.mark.parametrize(
    ("prefix", "said", "example"),
    [
        ("nonsense", "'nonsense' is no IPv6 prefix", PREFIX),
        ("10.0.0.0/8", "'10.0.0.0/8' is no IPv6 prefix", PREFIX),
        (
            "2001:db8::1/64",
            "'2001:db8::1/64' is no prefix, as bits behind its length are set",
            "2001:db8::/64",
        ),
        (
            "2001:db8:0:2::/48",
            "'2001:db8:0:2::/48' is no prefix, as bits behind its length are set",
            "2001:db8:0:2::/64",
        ),
    ],
)
def test_a_prefix_that_is_none_names_its_option_and_an_example(
    terminal: Terminal, words: tuple[str, ...], prefix: str, said: str, example: str
) -> None:
    """In both commands that take one."""
    terminal.add_lab()
    done = terminal.jrc("network", *words, "--prefix", prefix)
    assert (done.code, done.out) == (ExitCode.USAGE, "")
    assert done.err == f"error: --prefix: {said}\nhint: write it as --prefix {example}\n"


def test_a_file_is_on_no_server_to_accept(made: Terminal) -> None:
    """Nobody is asked for a yes before, and the command that was meant is named."""
    done = made.jrc("db", "accept-server")
    assert (done.code, done.out) == (ExitCode.REFUSED, "")
    assert done.err == (
        "error: the database is a file, and on no server\n"
        "hint: `jrc db accept-copy` is for files that you copied\n"
    )


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--kind", "pledge.revokd"), ExitCode.USAGE, "did you mean pledge.revoked?"),
        (("--kind", "foo", "--json"), ExitCode.USAGE, "pledge.*"),
        (("--network", "lob"), ExitCode.FAILED, "there is no network 'lob'; did you mean lab?"),
    ],
)
def test_events_of_what_there_is_not_are_refused(
    terminal: Terminal, words: tuple[str, ...], code: ExitCode, said: str
) -> None:
    """An empty table would look as if nothing had happened."""
    terminal.add_lab()
    done = terminal.jrc("events", *words)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


def test_events_of_a_kind_that_has_not_happened_are_none(made: Terminal) -> None:
    """A script that asks for them gets an empty array."""
    done = made.jrc("events", "--kind", "pledge.revoked", "--json")
    assert (done.code, done.json) == (0, [])


def test_following_what_there_is_not_is_refused(terminal: Terminal) -> None:
    """It would wait for ever."""
    with terminal.daemon():
        done = terminal.process("events", "--follow", "--kind", "foo")
    assert done.code == ExitCode.USAGE
    assert "no event is of the kind 'foo'" in done.err
