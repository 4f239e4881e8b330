"""Parameters of requests: wrong ones are one sentence with the name and never the value."""

from collections.abc import Callable

import pytest

from jrc.admin.params import Params, hex_bytes, pledge_id
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId, Secret

UNSTORABLE: dict[str, object] = {
    "half": "a\ud800b",
    "halves": ["a", "\udfff"],
    "64 bits": 2**63,
    "64 bits, below zero": -(2**63) - 1,
    "64 bits in a query": str(2**63),
    "list of 64 bits": [1, 2**63],
}
"""What Python takes and a database does not."""
SECRET = "deadbeefdeadbeefdeadbeefdeadbeefzz"


def test_an_unknown_parameter_names_the_nearest_one() -> None:
    """A typing error must not be taken for "leave it as it is"."""
    with pytest.raises(OperatorError, match="'prefixx' is not a known") as caught:
        Params({"prefixx": "x"}, ("prefix", "reason"))
    assert caught.value.hint == "did you mean prefix?"
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    "take",
    [
        lambda p: p.text("missing"),
        lambda p: p.text("number"),
        lambda p: p.maybe_texts("text"),
        lambda p: p.maybe_texts("mixed"),
        lambda p: p.maybe_number("text"),
        lambda p: p.maybe_number("true"),
        lambda p: p.maybe_numbers("mixed"),
        lambda p: p.flag("number"),
        lambda p: p.flag("text"),
        lambda p: p.secret("text"),
        lambda p: p.secret("number"),
        lambda p: p.parsed("text", int),
        lambda p: p.maybe_text("half"),
        lambda p: p.maybe_texts("halves"),
        lambda p: p.parsed("half", str),
        lambda p: p.maybe_number("64 bits"),
        lambda p: p.maybe_number("64 bits, below zero"),
        lambda p: p.maybe_number("64 bits in a query"),
        lambda p: p.maybe_numbers("list of 64 bits"),
    ],
)
def test_a_wrong_type_is_a_usage_error(take: Callable[[Params], object]) -> None:
    """JSON gives any type under any name; true is no number."""
    given = {"number": 7, "text": "x", "mixed": ["a", 1], "true": True, **UNSTORABLE}
    params = Params(given, (*given, "missing"))
    with pytest.raises(OperatorError) as caught:
        take(params)
    assert caught.value.exit_code is ExitCode.USAGE


def test_the_largest_number_and_any_character_are_taken() -> None:
    """63 bits and a sign; all of Unicode but halves of surrogate pairs (RFC 8259 §8.2)."""
    given = {"most": 2**63 - 1, "least": -(2**63), "text": "ünï \U0001f600 \ud7ff\ue000"}
    params = Params(given, given)
    assert [params.maybe_number("most"), params.maybe_number("least")] == [2**63 - 1, -(2**63)]
    assert params.maybe_text("text") == given["text"]


def test_a_malformed_key_is_not_repeated() -> None:
    """What stands where a key belongs is most of a key."""
    with pytest.raises(OperatorError) as caught:
        Params({"psk": SECRET}, ("psk",)).secret("psk")
    assert SECRET[:8] not in caught.value.message + caught.value.hint
    assert Params({"psk": "00ff"}, ("psk",)).secret("psk") == Secret(b"\x00\xff")


def test_what_was_left_out_is_none() -> None:
    """Absence is no value of any type."""
    params = Params({}, ("a",))
    assert (params.maybe_text("a"), params.maybe_number("a"), params.maybe_texts("a")) == (
        None,
    ) * 3
    assert params.flag("a") is False
    assert params.reason() == ""


@pytest.mark.parametrize("text", ["cafe", "0xCAFE", "ca:fe", "CA-FE", " cafe "])
def test_hex_is_read_as_people_write_it(text: str) -> None:
    """With separators or without."""
    assert hex_bytes(text) == b"\xca\xfe"


@pytest.mark.parametrize("text", ["xyz", "abc", "", "00" * 249])
def test_a04_an_identifier_of_no_or_too_many_bytes_is_refused(text: str) -> None:
    """1 to 248 bytes (RFC 9031 §3)."""
    with pytest.raises(OperatorError):
        pledge_id(text)
    assert pledge_id("00" * 248) == PledgeId(bytes(248))
