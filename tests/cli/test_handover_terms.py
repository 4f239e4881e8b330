"""What a builder may say in a sealed file, and what is the operator's alone to say."""

import pytest

from jrc.errors import ExitCode
from tests.cli.handing_over import FIRST, ROWS, SECOND, Bench, bench
from tests.cli.terminal import one_sentence, pledge_file
from tests.handover.making import PSKS

__all__ = ["bench"]

_THIRD = "c04be19d2f7648a1a35d9e70b8621f4d"
_FOURTH = "5a0e94d7c12b4f6f8b63a71d0ce8952b"


def _import(bench: Bench, rows: list[str]) -> None:
    pledge_file(bench.folder / "other.csv", rows)
    assert bench.terminal.jrc("pledge", "import", bench.at("other.csv")).code == 0


def _shown(bench: Bench) -> dict[str, object]:
    found: dict[str, object] = bench.terminal.jrc("pledge", "show", FIRST, "--json").json
    return found


@pytest.mark.parametrize("how", [("--on-conflict", "replace"), ("--pending-firmware",)])
def test_a_builder_changes_no_pledge_that_is_not_theirs(bench: Bench, how: tuple[str, ...]) -> None:
    """Only where the operator says so by an option; each such pledge is named."""
    _import(bench, [f"{FIRST},{_THIRD},lamp"])
    before = _shown(bench)
    bench.seal("b.sealed", rows=ROWS[:1])
    refused = bench.open("b.sealed", *how)
    assert refused.code == ExitCode.FAILED
    assert "its key did not come from the builder of this file (import, " in refused.out
    assert "say --take-over" in refused.err
    assert _shown(bench) == before
    assert bench.open("b.sealed", *how, "--take-over").code == 0
    assert _shown(bench) != before
    (event,) = bench.terminal.jrc("events", "--kind", "handover.opened", "--json").json
    assert event["detail"]["take_over"] is True


def test_keys_that_wait_replace_nothing_wherever_they_come_from(bench: Bench) -> None:
    """An import and a sealed file know the same options, which exclude each other in both."""
    both = ("--pending-firmware", "--on-conflict", "replace")
    bench.seal("b.sealed")
    pledge_file(bench.folder / "other.csv", ROWS)
    file = bench.at("other.csv")
    for done in (
        bench.open("b.sealed", *both),
        bench.terminal.jrc("pledge", "import", file, *both),
    ):
        assert (ExitCode.USAGE, True) == (done.code, "exclude each other" in done.err)
    assert bench.pledges() == []


def test_a_builder_gives_their_own_pledges_new_keys(bench: Bench) -> None:
    """What they have sealed before they may seal anew."""
    bench.seal("b.sealed")
    assert bench.open("b.sealed").code == 0
    bench.seal("c.sealed", rows=[f"{FIRST},{_THIRD},lamp"])
    assert "1 replaced" in bench.open("c.sealed", "--on-conflict", "replace").err


def test_a_dry_run_names_what_would_change_and_says_roles_and_networks(bench: Bench) -> None:
    """Before anything is stored, for a person and for a script."""
    bench.seal("b.sealed")
    assert bench.open("b.sealed").code == 0
    bench.seal("c.sealed", rows=[f"{FIRST},{_THIRD},lamp", f"{SECOND},{_FOURTH},valve"])
    words = ("c.sealed", "--on-conflict", "replace", "--dry-run", "--network", "lab")
    said = bench.open(*words).err
    assert "roles: 6ln (2); networks: lab (2)" in said
    assert f"would change 2 pledges that are there: {FIRST} (replaced), {SECOND}" in said
    found = bench.open(*words, "--json").json["handover"]
    assert (found["roles"], found["networks"]) == ({"6ln": 2}, {"lab": 2})
    assert (found["would_change"], found["first_changed"][0]) == (2, f"{FIRST} (replaced)")


def test_a_border_router_is_the_operators_to_allow(bench: Bench) -> None:
    """Others trust it for their way out; it is said by option, and the row is named."""
    pledge_file(
        bench.folder / "roles.csv", [f"{FIRST},{PSKS[0]},6lbr"], header="pledge_id,psk,role"
    )
    words = ("--to", bench.at("registrar.key.pub"), "--key", bench.at("builder.key"))
    sealed = ("handover", "seal", bench.at("roles.csv"), *words, "--out", bench.at("b.sealed"))
    assert bench.away(*sealed).code == 0
    for dry_run in (("--dry-run",), ()):
        refused = bench.open("b.sealed", *dry_run)
        one_sentence(refused, ExitCode.REFUSED)
        assert f"row 1 (pledge {FIRST}) would be a 6lbr" in refused.err
        assert "say --role 6lbr" in refused.err
    assert bench.pledges() == []
    assert bench.open("b.sealed", "--role", "admin").code == ExitCode.USAGE
    assert bench.open("b.sealed", "--role", "6lbr").code == 0
    assert _shown(bench)["role"] == "6lbr"


def test_where_several_networks_are_the_hint_names_the_option(bench: Bench) -> None:
    """The rows can't be edited: what they lack is said on the command line."""
    bench.terminal.jrc("network", "add", "hall", "--network-id", "beef", "--prefix", "fd00:1::/64")
    bench.seal()
    refused = bench.open()
    assert "which network may it join?" in refused.out
    assert "hint: line 1: there are hall and lab; say --network NAME" in refused.err
    assert bench.open("b.sealed", "--network", "hall").code == 0


def test_the_devices_of_a_sealed_file_are_found_by_its_path(bench: Bench) -> None:
    """After a theft: from the list to the import, to its file, to each pledge's keys."""
    bench.seal("b.sealed", "--serial", "batch-7")
    assert bench.open("b.sealed").code == 0
    (opened,) = bench.terminal.jrc("events", "--kind", "handover.opened", "--json").json
    published = bench.terminal.jrc("events", "--kind", "import.published", "--json").json
    (path,) = [
        each["detail"]["source"]
        for each in published
        if each["detail"]["import"] == opened["detail"]["import"]
    ]
    assert path == bench.at("b.sealed")
    shown = bench.terminal.jrc("pledge", "show", SECOND, "--json").json
    assert [key["source"] for key in shown["keys"]] == [f"{path}:2"]
