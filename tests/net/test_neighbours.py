"""What the kernel tells of neighbours and of link-layer keys."""

import asyncio
from pathlib import Path

import pytest

from jrc.net import neighbours
from jrc.net.neighbours import probe


def test_p09_the_probe_needs_no_privilege_and_claims_keys_only_with_radios() -> None:
    """RFC 9031 §5.1, §6: facts of this very kernel."""
    facts = asyncio.run(probe())
    assert facts.configures_radios or not facts.takes_keys
    assert facts.max_entries is None or facts.max_entries > 0


def test_p09_a_family_is_told_with_its_commands(capfd: pytest.CaptureFixture[str]) -> None:
    """The controller is always there: 3 is CTRL_CMD_GETFAMILY. For an absent one nobody logs."""
    found = asyncio.run(neighbours._operations("nlctrl"))
    assert found is not None
    assert 3 in found
    assert asyncio.run(neighbours._operations("nosuchfamily")) is None
    assert ("", "") == capfd.readouterr()


@pytest.mark.parametrize(("text", "expected"), [("512\n", 512), ("", None), (None, None)])
def test_p09_the_size_of_the_table_is_known_or_not(
    tmp_path: Path, text: str | None, expected: int | None
) -> None:
    """Only the first network namespace shows it."""
    file = tmp_path / "gc_thresh3"
    if text is not None:
        file.write_text(text)
    assert expected == asyncio.run(probe(file)).max_entries


@pytest.mark.parametrize(
    ("commands", "radios", "keys"),
    [(None, False, False), (frozenset({1, 20}), True, False), (frozenset({1, 23}), True, True)],
)
def test_p09_keys_are_taken_where_the_command_for_them_is_there(
    monkeypatch: pytest.MonkeyPatch, commands: frozenset[int] | None, radios: bool, keys: bool
) -> None:
    """A kernel without CONFIG_IEEE802154_NL802154_EXPERIMENTAL has radios and takes no keys."""

    async def operations(_family: str) -> frozenset[int] | None:
        return commands

    monkeypatch.setattr(neighbours, "_operations", operations)
    facts = asyncio.run(probe())
    assert (radios, keys) == (facts.configures_radios, facts.takes_keys)
