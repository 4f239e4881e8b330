"""Bytes as loggers print them."""

from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.credential import edn
from jrc.provision.console_values import identifier, item

CREDENTIAL = bytes.fromhex(
    "a108a101a401020240200121 5820b9943adbc95be73fd6db7b700a2f9b20b311ed0691317cb418da61e14e03db07"
)


@given(value=st.binary(min_size=1, max_size=40))
def test_hex_lists_and_separated_hex_are_the_bytes(value: bytes) -> None:
    """As ``{:02x?}``, defmt's ``{=[u8]:02x}`` and people write them."""
    pairs = [f"{byte:02x}" for byte in value]
    for text in (value.hex(), *(mark.join(pairs) for mark in ":- ")):
        assert value == identifier(text)
        assert value == identifier(f"{text} (src/main.rs)") or " " in text
    assert value == identifier(f"[{', '.join(pairs)}]")
    assert value == identifier(f"[{', '.join(pairs)}] (src/main.rs:8)")
    assert value == item(f"[{','.join(pairs)}]")


def test_a_credential_in_diagnostic_notation_is_its_bytes() -> None:
    """As Ariel OS prints it, and as this program does."""
    text = (
        "{8:{1:{1:2, 2:h'', -1:1,"
        " -2:h'b9943adbc95be73fd6db7b700a2f9b20b311ed0691317cb418da61e14e03db07'}}}"
    )
    assert CREDENTIAL == item(text)
    assert CREDENTIAL == item(text + " (ariel_os_coap src/stored.rs:118)")
    assert CREDENTIAL == item(edn(CREDENTIAL))
    assert CREDENTIAL == item(text.replace("h''", "''"))


def notation(value: Any) -> str:
    """Diagnostic notation (RFC 8949 §8), by another hand."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, bytes):
        return f"h'{value.hex()}'"
    if isinstance(value, dict):
        return "{" + ",".join(f"{notation(k)} : {notation(v)}" for k, v in value.items()) + " }"
    if isinstance(value, list):
        return "[ " + ", ".join(map(notation, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value)


PLAIN = (
    st.integers(-(10**18) + 1, 10**18 - 1)
    | st.binary(max_size=9)
    | st.from_regex("[a-zA-Z0-9 ,:]{0,9}", fullmatch=True)
    | st.booleans()
    | st.none()
)
LABELS = st.integers(-99, 99) | st.from_regex("[a-z]{0,5}", fullmatch=True)
ITEMS = st.recursive(
    PLAIN, lambda each: st.lists(each, max_size=4) | st.dictionaries(LABELS, each, max_size=4),
    max_leaves=8,
)  # fmt: skip


@given(value=st.dictionaries(LABELS, ITEMS, max_size=4))
def test_what_is_written_in_diagnostic_notation_is_read(value: dict[object, object]) -> None:
    """Or nested too deeply."""
    try:
        found = item(notation(value))
    except ValueError as error:
        assert "deep" in str(error)
    else:
        assert value == cbor2.loads(found)


@pytest.mark.parametrize(
    "text",
    [
        "{1:2", "{1:2,", "{1 2}", "{1:h'0'}", "{1:h'00}", "{1:2 1:3}", "{1:1,1:1}", "{true:1}",
        "{[1]:1}", "{1:0x10}", "{1:1.5}", "{1:'a}", '{1:"a}', "{1:99999999999999999999}",
        "{" * 9 + "}" * 9, "{1:" * 5000, "[80, 106]"[:8], "zz", "", "[1, 2]",
    ],
)  # fmt: skip
def test_what_is_cut_or_in_another_form_is_refused(text: str) -> None:
    """With a reason, and never with less bytes than were meant."""
    with pytest.raises(ValueError, match=r"^(is|has|lacks)"):
        item(text)


def test_cutting_a_credential_anywhere_gives_none() -> None:
    """Its bytes, too, are whole or refused by their own lengths."""
    text = edn(CREDENTIAL)
    for end in range(1, len(text)):
        with pytest.raises(ValueError, match=r"^(is|has|lacks)"):
            item(text[:end])
