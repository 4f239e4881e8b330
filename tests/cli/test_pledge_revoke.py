"""``jrc pledge revoke`` and ``restore``: what is asked, said, waited for, and ended with."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests.cli.rolled import node_id, registrar
from tests.cli.terminal import Terminal

FAST = "\n[rollover]\nguard_time_s = 0.2\nack_timeout_s = 0.2\n"
FIRST, SECOND, THIRD = (node_id(number) for number in (1, 2, 3))


@pytest.fixture
def lab(tmp_path: Path) -> Terminal:
    """A registrar with two 6LNs and a 6LBR, which nobody tells anything."""
    return registrar(tmp_path, 3, routers=1, config=FAST)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Terminal]:
    """A daemon with one node: without it a rollover is over in no time."""
    made = registrar(tmp_path, 1, config=FAST)
    with made.daemon():
        yield made


def test_the_plan_says_what_it_means_before_it_asks(lab: Terminal) -> None:
    """Which networks get new keys, how many nodes, until when; a no changes nothing."""
    code, shown = lab.typed("pledge", "revoke", FIRST, answer="n\n")
    assert code == ExitCode.REFUSED
    shown = " ".join(shown.split())
    for part in (
        f"Pledge {FIRST} gets no more answers, and goes on the blocklist.",
        "New link-layer keys go to everybody else in lab.",
        "1 6LN, then 1 6LBR, are told by update",
        "after 1 h it pauses and asks",
        "Go on?",
    ):
        assert part in shown
    assert lab.jrc("pledge", "show", FIRST, "--json").json["state"] == "joined"
    assert lab.jrc("rollover", "status", "--json", "lab").json["phase"] is None


def test_it_returns_at_once_with_what_to_do_next(lab: Terminal) -> None:
    """The rollover goes on by itself, once there is a daemon."""
    done = lab.jrc("pledge", "revoke", FIRST, "--yes", "--reason", "stolen")
    assert (done.code, done.out) == (0, "")
    assert f"{FIRST}: revoked" in done.err
    assert "`jrc rollover watch lab` shows it; the device is out when it is done" in done.err
    assert "the daemon is not running: the nodes are told when `jrc run` does" in done.err
    shown = lab.jrc("rollover", "status", "--json", "lab").json
    assert (shown["phase"], shown["cause"], shown["reason"]) == (
        "distributing", "revocation", "stolen",
    )  # fmt: skip
    assert {each["pledge_id"] for each in shown["nodes"]} == {SECOND, THIRD}


def test_one_document_tells_what_became_of_pledges_and_keys(lab: Terminal) -> None:
    """With one pledge its state stands at the top as well."""
    done = lab.jrc("pledge", "revoke", FIRST, "--yes", "--json").json
    assert (done["pledge_id"], done["state"], done["changed"]) == (FIRST, "revoked", True)
    (rekeyed,) = done["rollovers"]
    assert (rekeyed["networks"], rekeyed["outcome"], rekeyed["error"]) == (["lab"], "started", None)
    done = lab.jrc("pledge", "revoke", FIRST, SECOND, "--yes", "--json").json
    assert [each["changed"] for each in done["pledges"]] == [False, True]
    assert "pledge_id" not in done


def test_several_at_once_are_one_rollover(lab: Terminal) -> None:
    """And one question."""
    done = lab.jrc("pledge", "revoke", FIRST, SECOND, "--yes")
    assert done.code == 0
    assert f"  {FIRST}\n  {SECOND}\n" in done.err
    events = lab.jrc("events", "--json").json
    kinds = [entry["kind"] for entry in events]
    assert (kinds.count("pledge.revoked"), kinds.count("rollover.started")) == (2, 1)


def test_several_at_once_are_spoken_of_as_several(lab: Terminal) -> None:
    """Before, after, and where there is nothing to do; one that is named twice is one."""
    done = lab.jrc("pledge", "revoke", FIRST, SECOND, FIRST, "--yes")
    assert "2 pledges get no more answers, and go on the blocklist.\n" in done.err
    assert f"{FIRST}: revoked\n{SECOND}: revoked\n" in done.err
    assert "`jrc rollover watch lab` shows it; the 2 devices are out when it is done" in done.err
    again = lab.jrc("pledge", "revoke", FIRST, SECOND, FIRST, "--yes")
    assert (again.code, again.err) == (
        0, f"{FIRST}: revoked, as before\n{SECOND}: revoked, as before\n",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "code", "said"),
    [
        (("00aa",), ExitCode.FAILED, "pledge 00aa is unknown"),
        (("00aa", "00bb"), ExitCode.FAILED, "pledge 00aa is unknown; pledge 00bb is unknown"),
        (
            ("xy", "zz"),
            ExitCode.USAGE,
            "'xy' is not a pledge identifier; 'zz' is not a pledge identifier",
        ),
    ],
)
def test_those_that_can_not_be_revoked_are_named_and_nobody_is(
    lab: Terminal, wrong: tuple[str, ...], code: ExitCode, said: str
) -> None:
    """All or none; one that is alone has its own sentence."""
    done = lab.jrc("pledge", "revoke", FIRST, *wrong, SECOND, "--yes")
    count = f"{len(wrong)} of the {len(wrong) + 2} pledges"
    said_of_all = f"error: {count} can't be revoked, so none of them is: {said}"
    assert (done.code, done.err.splitlines()[0]) == (code, said_of_all)
    assert done.err.splitlines()[1].startswith("hint: leave th")
    assert lab.jrc("pledge", "show", FIRST, "--json").json["state"] == "joined"
    alone = lab.jrc("pledge", "revoke", wrong[0], "--yes")
    assert alone.err.startswith(f"error: {said.split(';')[0]}\n")


def test_many_that_can_not_be_revoked_are_counted(lab: Terminal) -> None:
    """The first ten are named."""
    done = lab.jrc("pledge", "revoke", *(f"{number:04x}" for number in range(12)), "--yes")
    assert "12 of the 12 pledges can't be revoked" in done.err
    assert "pledge 0009 is unknown; and 2 more\n" in done.err


def test_revoking_the_border_router_is_said_in_capitals(lab: Terminal) -> None:
    """What the network loses, and what becomes of the radio's keys."""
    done = lab.jrc("pledge", "revoke", THIRD)
    assert done.code == ExitCode.REFUSED
    assert f"{THIRD} IS THE BORDER ROUTER (6LBR) of network lab" in done.err
    assert "take it out of service" in done.err


def test_without_new_keys_it_is_told_loudly(lab: Terminal) -> None:
    """`--no-rollover` starts none."""
    done = lab.jrc("pledge", "revoke", FIRST, "--no-rollover", "--yes")
    assert (done.code, "WITHOUT NEW KEYS" in done.err) == (0, True)
    assert "THE KEYS OF lab ARE NOT CHANGED, and the device can go on with them" in done.err
    assert lab.jrc("rollover", "status", "--json", "lab").json["phase"] is None


def test_aborting_what_puts_a_device_out_says_that_it_stays(lab: Terminal) -> None:
    """The keys in force stay, and the device has them."""
    lab.jrc("pledge", "revoke", FIRST, "--yes")
    done = lab.jrc("rollover", "abort", "lab")
    assert done.code == ExitCode.REFUSED
    assert "1 revoked device has the keys in force, and can go on with them" in done.err


def test_restoring_says_what_is_not_undone(lab: Terminal) -> None:
    """Its keys are being changed, so it has to join again."""
    lab.jrc("pledge", "revoke", FIRST, "--yes")
    done = lab.jrc("pledge", "restore", FIRST)
    assert (done.code, f"{FIRST}: provisioned" in done.err) == (0, True)
    assert "it has to join again" in done.err


def test_waiting_ends_when_the_device_is_out(alone: Terminal) -> None:
    """Exit code 0: the keys that it has are retired."""
    done = alone.process("pledge", "revoke", FIRST, "--yes", "--wait", "--timeout", "60s")
    assert (done.code, done.err.splitlines()[-1]) == (
        0, "lab: the old keys are retired, and who was revoked is out",
    )  # fmt: skip
    assert alone.process("rollover", "status", "--json", "lab").json["phase"] == "done"


def test_what_does_not_end_in_time_is_exit_code_5(lab: Terminal) -> None:
    """Its nodes never answer; what became of the pledge is said before."""
    with lab.daemon():
        done = lab.process(
            "pledge", "revoke", FIRST, "--yes", "--wait", "--timeout", "1s", "--json"
        )
        assert done.code == ExitCode.UNFINISHED
        assert done.json["state"] == "revoked"
        assert "lab: not finished in the time that was given" in done.err


def test_waiting_does_not_call_out_who_can_go_on_with_a_6lbr(tmp_path: Path) -> None:
    """An operator has ended the switch without it: it sends with the old keys (exit code 5)."""
    made = registrar(tmp_path, 2, routers=1, config=FAST)
    with made.daemon(), ThreadPoolExecutor(1) as beside:
        waiting = beside.submit(
            made.process, "pledge", "revoke", FIRST, "--yes", "--wait", "--timeout", "60s"
        )
        for _ in range(600):
            if made.process("rollover", "resume", "lab", "--anyway", "--yes").code == 0:
                break
        done = waiting.result()
    assert done.code == ExitCode.UNFINISHED
    assert done.err.splitlines()[-1] == (
        "lab: the old keys are retired, but not gone from 1 6LBR: who was revoked can go on with"
        " them there"
    )


def test_waiting_needs_a_daemon(lab: Terminal) -> None:
    """Nobody else tells the nodes; nothing is changed."""
    done = lab.jrc("pledge", "revoke", FIRST, "--yes", "--wait")
    assert done.code == ExitCode.UNREACHABLE
    assert lab.jrc("pledge", "show", FIRST, "--json").json["state"] == "joined"
