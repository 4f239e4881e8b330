"""``jrc handover`` without a daemon: keys, sealing, opening once, and what is refused."""

import json
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jrc.clock import SystemClock
from jrc.errors import ExitCode
from jrc.handover import cose
from jrc.handover.envelope import Cover
from jrc.handover.keys import PrivateKey
from jrc.handover.sealing import seal
from jrc.model import Secret
from tests.cli.handing_over import FIRST, ROWS, SECOND, Bench, bench
from tests.cli.terminal import one_sentence, pledge_file
from tests.daemon.test_secrets import leaks
from tests.handover.making import NOW_MS, PSKS, Ends, packing

__all__ = ["bench"]

_THIRD = "c04be19d2f7648a1a35d9e70b8621f4d"


def test_a_sealed_file_is_opened_once(bench: Bench) -> None:
    """It is named with when it was opened, and by whom."""
    sealed = bench.seal("b.sealed", "--serial", "batch-7")
    assert sealed.code == 0
    assert "2 devices sealed in" in sealed.err
    assert "next, at the registrar: jrc handover open b.sealed" in sealed.err
    opened = bench.open("b.sealed", "--reason", "batch 7")
    assert opened.code == 0
    assert "the signature is good" in opened.err
    assert "stored: 2 rows read, 2 added" in opened.err
    assert bench.pledges() == [FIRST, SECOND]
    again = bench.open()
    one_sentence(again, ExitCode.REFUSED)
    assert "the sealed file batch-7 of the builder" in again.err
    assert "was opened at 20" in again.err
    assert again.err.count("uid=") == 1


def test_what_was_opened_is_listed_and_in_the_audit_log(bench: Bench) -> None:
    """With builder, serial, rows and who; pledges say that they came by a hand-over."""
    bench.seal("b.sealed", "--serial", "batch-7")
    header = bench.terminal.jrc("handover", "list").out
    assert header == "OPENED\tBUILDER\tSERIAL\tROWS\tBY\n"
    bench.open("b.sealed", "--reason", "batch 7")
    (listed,) = bench.terminal.jrc("handover", "list", "--json").json
    builder = bench.ends().builder.public.fingerprint
    assert (listed["builder"], listed["serial"], listed["rows"]) == (builder, "batch-7", 2)
    (event,) = bench.terminal.jrc("events", "--kind", "handover.opened", "--json").json
    assert event["reason"] == "batch 7"
    assert event["detail"]["builder"] == builder
    assert event["detail"]["sha256"] == listed["sha256"]
    shown = bench.terminal.jrc("pledge", "show", FIRST, "--json").json
    assert shown["credentials"][0]["provenance"] == "handover"


def test_a_dry_run_does_not_use_a_file_up(bench: Bench) -> None:
    """It says what would be, and that it can still be opened."""
    bench.seal()
    tried = bench.open("b.sealed", "--dry-run")
    assert tried.code == 0
    assert "2 would be added" in tried.err
    assert "it can still be opened" in tried.err
    assert bench.pledges() == []
    assert bench.open().code == 0


def test_a_file_with_a_conflict_is_not_used_up_unless_part_of_it_is_taken(bench: Bench) -> None:
    """--partial takes the good rows and uses it up; the rest is to be sealed anew."""
    bench.terminal.jrc("pledge", "add", FIRST, "--psk-file", "-", stdin=_THIRD.encode())
    bench.seal()
    refused = bench.open()
    assert refused.code == ExitCode.FAILED
    assert "b.sealed can still be opened" in refused.err
    assert "--partial stores the good rows and uses it up" in refused.err
    report = bench.at("report.jsonl")
    part = bench.open("b.sealed", "--partial", "--report", report)
    assert part.code == ExitCode.PARTLY
    assert "have the rows that are left sealed anew" in part.err
    lines = [json.loads(line) for line in Path(report).read_text().splitlines()]
    assert [(line["line"], line["outcome"]) for line in lines] == [(1, "refused"), (2, "added")]
    assert bench.open().code == ExitCode.REFUSED


def test_a_file_that_changes_nothing_is_used_up_all_the_same(bench: Bench) -> None:
    """Its pledges are there; once removed they do not come back by it."""
    pledge_file(bench.folder / "same.csv", ROWS)
    assert bench.terminal.jrc("pledge", "import", bench.at("same.csv")).code == 0
    bench.seal()
    assert bench.open("b.sealed").code == 0
    assert bench.open("b.sealed").code == ExitCode.REFUSED
    assert len(bench.terminal.jrc("handover", "list", "--json").json) == 1


def test_where_pledges_may_join_is_the_operators_to_say(bench: Bench) -> None:
    """--network counts, whatever the builder wrote."""
    bench.terminal.jrc("network", "add", "hall", "--network-id", "beef", "--prefix", "fd00:1::/64")
    bench.seal()
    assert bench.open("b.sealed", "--network", "hall").code == 0
    shown = bench.terminal.jrc("pledge", "show", FIRST, "--json").json
    assert shown["networks"] == ["hall"]
    words = ("--network", "hall", "--network", "hall")
    assert bench.open("b.sealed", *words).code == ExitCode.USAGE


def test_another_file_with_the_same_serial_is_refused_by_its_own_sentence(bench: Bench) -> None:
    """A serial of a builder is used once."""
    bench.seal("b.sealed", "--serial", "batch-7")
    assert bench.open().code == 0
    again = bench.seal("c.sealed", "--serial", "batch-7", rows=[f"00124b0014b5b603,{_THIRD},x"])
    assert again.code == 0, again
    done = bench.open("c.sealed")
    one_sentence(done, ExitCode.REFUSED)
    assert "another sealed file of the builder" in done.err
    assert "with another --serial" in done.err


def test_two_builders_may_use_the_same_serial(bench: Bench) -> None:
    """It is the builder's own; --from names each whose files are taken."""
    own = bench.ends()
    other = Ends(Ends.new().builder, own.registrar)
    row = packing([f"00124b0014b5b603,{_THIRD}"])
    ids = other.builder.public.key_id, own.registrar.public.key_id
    now_s = SystemClock().now_ms() // 1000
    sealed = seal(
        row.content(), Cover(*ids, "1", now_s, now_s + 60, 1), other.builder, own.registrar.public
    )
    (bench.folder / "c.sealed").write_bytes(sealed)
    (bench.folder / "other.pub").write_bytes(other.builder.public.pem())
    (bench.folder / "other.pub").chmod(0o644)
    bench.seal("b.sealed", "--serial", "1")
    assert bench.open("b.sealed").code == 0
    assert bench.open("c.sealed").code == ExitCode.REFUSED
    assert bench.open("c.sealed", "--from", bench.at("other.pub")).code == 0
    assert len(bench.terminal.jrc("handover", "list", "--json").json) == 2


def test_times_are_told_by_name(bench: Bench) -> None:
    """A file that has expired, and one from the future."""
    ends = bench.ends()
    for name, made_at_s in (("old", NOW_MS // 1000 - 10_000_000), ("new", 4_000_000_000)):
        ids = ends.builder.public.key_id, ends.registrar.public.key_id
        cover = Cover(*ids, name, made_at_s, made_at_s + 3600, 2)
        sealed = cose.seal(packing().content(), cover, ends.builder, ends.registrar.public)
        (bench.folder / name).write_bytes(sealed)
    done = bench.open("old")
    one_sentence(done, ExitCode.REFUSED)
    assert "expired at 2026-05-28" in done.err
    done = bench.open("new")
    one_sentence(done, ExitCode.REFUSED)
    assert "which is still to come" in done.err


def test_rows_of_another_program_that_are_no_rows_are_refused(bench: Bench) -> None:
    """The signature is good; what is in it is looked at all the same, and no key is said."""
    ends = bench.ends()
    made_at_s = SystemClock().now_ms() // 1000
    rows = Secret(b"\x81\xa2\x63psk\x58\x10" + bytes(range(16)) + b"\x66colour\x63red")
    ids = ends.builder.public.key_id, ends.registrar.public.key_id
    cover = Cover(*ids, "x", made_at_s, made_at_s + 3600, 1)
    sealed = cose.seal(rows, cover, ends.builder, ends.registrar.public)
    (bench.folder / "odd").write_bytes(sealed)
    done = bench.open("odd")
    one_sentence(done, ExitCode.REFUSED)
    assert "row 1 of" in done.err
    assert bytes(range(16)).hex() not in done.err


def test_faulty_rows_are_not_sealed(bench: Bench) -> None:
    """Each is named with what to do, and there is no file."""
    rows = [f"{FIRST},deadbeefcafedeadbeefcafedeadbeef,x", f"{SECOND},{PSKS[1]},y"]
    done = bench.seal("b.sealed", rows=[*rows, f"{SECOND},{PSKS[0]},z"])
    assert done.code == ExitCode.FAILED
    assert [line.split("\t")[:2] for line in done.out.splitlines()[1:]] == [
        ["2", "psk"],
        ["4", "pledge_id"],
    ]
    assert "hint: line 4: leave one of them out" in done.err
    assert "2 errors in" in done.err
    assert not (bench.folder / "b.sealed").exists()
    assert bench.seal("b.sealed", rows=[]).code == ExitCode.USAGE


def test_a_sealed_file_is_never_written_over_another(bench: Bench) -> None:
    """It may be the only one."""
    bench.seal()
    before = (bench.folder / "b.sealed").read_bytes()
    one_sentence(bench.seal(), ExitCode.REFUSED)
    assert (bench.folder / "b.sealed").read_bytes() == before


@pytest.mark.parametrize(
    "more", [("--expires", "0s"), ("--expires", "400d"), ("--expires", "soon"), ("--serial", "a b")]
)
def test_odd_times_and_serials_are_usage_errors(bench: Bench, more: tuple[str, str]) -> None:
    """And name the option."""
    done = bench.seal("b.sealed", *more)
    assert done.code == ExitCode.USAGE
    assert more[0] in done.err


def test_each_form_that_an_import_takes_is_sealed(bench: Bench) -> None:
    """From a file or standard input; names that are not ours are mapped."""
    words = ("--to", bench.at("registrar.key.pub"), "--key", bench.at("builder.key"))
    lines = json.dumps({"pledge_id": FIRST, "psk": PSKS[0]}).encode()
    csv = f"EUI,Key\n{SECOND},{PSKS[1]}\n".encode()
    for name, raw, more in (
        ("lines", lines, ()),
        ("csv", csv, ("--format", "csv", "--map", "EUI=pledge_id", "--map", "Key=psk")),
    ):
        done = bench.away(
            "handover", "seal", "-", *words, "--out", bench.at(name), *more, stdin=raw
        )
        assert done.code == 0, done
        assert bench.open(name).code == 0
    assert bench.pledges() == [FIRST, SECOND]


def test_a_sealed_file_is_shown_without_a_key(bench: Bench) -> None:
    """And says whether the signature was verified."""
    bench.seal("b.sealed", "--serial", "batch-7")
    shown = bench.away("handover", "show", bench.at("b.sealed"))
    assert "not verified: say --from FILE" in shown.out
    words = ("handover", "show", bench.at("b.sealed"), "--from", bench.at("builder.key.pub"))
    found = bench.away(*words, "--json").json
    assert (found["is_verified"], found["serial"], found["rows"]) == (True, "batch-7", 2)
    ends = bench.ends()
    assert found["registrar"] == ends.registrar.public.fingerprint
    wrong = bench.away(*words[:3], "--from", bench.at("registrar.key.pub"))
    assert wrong.code == ExitCode.USAGE


def test_sealing_and_looking_need_neither_config_nor_database(bench: Bench) -> None:
    """A build machine has just the wheel."""
    assert sorted(path.name for path in bench.folder.iterdir()) == [
        "builder.key", "builder.key.pub", "registrar.key", "registrar.key.pub"
    ]  # fmt: skip
    assert bench.seal().code == 0


def test_no_command_of_a_handover_prints_a_key_or_leaves_one_to_others(
    bench: Bench, capfd: pytest.CaptureFixture[str]
) -> None:
    """Device keys and private keys: raw, hex and base64, in what is said and in files of others."""
    ends = bench.ends()
    said = [bench.seal("b.sealed"), bench.away("handover", "show", bench.at("b.sealed"))]
    said += [bench.open("b.sealed", "--report", bench.at("r.csv")), bench.open("b.sealed")]
    said += [bench.terminal.jrc("handover", "list", "--json"), bench.terminal.jrc("events")]
    places = {f"said {n}": (done.out + done.err).encode() for n, done in enumerate(said)}
    out, err = capfd.readouterr()
    places["log"] = (out + err).encode()
    for path in bench.folder.iterdir():
        if path.stat().st_mode & 0o077 or path.suffix == ".sealed":
            places[path.name] = path.read_bytes()
    for path in bench.terminal.folder.iterdir():
        if path.is_file():
            places[f"registrar's {path.name}"] = path.read_bytes()
    secrets = {f"psk {n}": bytes.fromhex(psk) for n, psk in enumerate(PSKS)}
    for role, key in (("builder", ends.builder), ("registrar", ends.registrar)):
        pem = key.pem().reveal().splitlines()
        secrets[f"{role}'s file"] = b64decode(b"".join(pem[1:-1]))
        secrets[f"{role}'s key"] = _bare(key)
    assert {"b.sealed", "builder.key.pub", "registrar's jrc.db"} <= places.keys()
    assert leaks(secrets, places) == []


def _bare(key: PrivateKey) -> bytes:
    """What makes it private."""
    if isinstance(key.native, Ed25519PrivateKey):
        return key.native.private_bytes_raw()
    return key.native.private_numbers().private_value.to_bytes(32, "big")
