"""``jrc rollover`` where no daemon runs: plans, refusals, documents."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jrc.errors import ExitCode
from jrc.policy.rollover import NodeState
from tests.cli.rolled import add_network, answer, go_on, node_id, registrar
from tests.cli.terminal import Done, Terminal

START = ("rollover", "start", "lab", "--yes")
STATUS_FIELDS = {
    "network", "networks", "key_domain", "id", "phase", "paused", "cause", "actor", "reason",
    "generation", "key_ids", "former_key_ids", "quorum_permille", "deadline_s", "started",
    "begins", "distributing", "deadline", "switching", "guarding", "ended", "counts",
    "installers", "without_router", "wanted", "hindered",
}  # fmt: skip
NODE_FIELDS = {
    "pledge_id", "role", "network", "state", "attempts", "last_error", "sent", "reached",
    "tried", "next",
}  # fmt: skip


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    """A registrar with a network of nine 6LNs and a 6LBR."""
    return registrar(tmp_path, 10, routers=1)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Terminal:
    """The same for tests that change nothing."""
    return registrar(tmp_path_factory.mktemp("idle"), 10, routers=1)


def _refused(done: Done, code: ExitCode, *words: str) -> None:
    """One sentence on standard error with these words, nothing on standard output."""
    assert (done.code, done.out, "Traceback" in done.err) == (code, "", False), done
    for word in words:
        assert word in done.err, done.err


def _status(terminal: Terminal) -> Any:
    return terminal.jrc("rollover", "status", "lab", "--json").json


def test_a_rollover_is_planned_first_and_started_after_a_yes(terminal: Terminal) -> None:
    """Without one nothing is changed; offline it says who carries it out."""
    done = terminal.jrc("rollover", "start", "lab")
    _refused(done, ExitCode.REFUSED, "9 6LNs, then 1 6LBR", "this needs a yes", "say --yes")
    assert _status(terminal)["phase"] is None
    done = terminal.jrc(*START, "--reason", "yearly")
    assert (done.code, done.out) == (0, "")
    assert done.err.endswith(
        "lab: distributing, key id 2 in place of key id 1\n"
        "the daemon is not running: the nodes are told when `jrc run` does\n"
    )
    found = _status(terminal)
    assert (found["phase"], found["reason"], found["cause"]) == (
        "distributing", "yearly", "operator"
    )  # fmt: skip


def test_the_plan_on_a_terminal_is_refused_with_a_no(terminal: Terminal) -> None:
    """And carried out with a yes."""
    code, shown = terminal.typed("rollover", "start", "lab", answer="n\n")
    assert (code, "nothing was changed" in shown) == (ExitCode.REFUSED, True)
    code, shown = terminal.typed("rollover", "start", "lab", answer="y\n")
    assert (code, "Go on? [y/N]: y" in shown) == (0, True)
    assert _status(terminal)["phase"] == "distributing"


def test_the_document_of_a_rollover_has_every_node(terminal: Terminal) -> None:
    """Whatever page the daemon gives at once."""
    assert terminal.jrc(*START).code == 0
    answer(terminal, {1: NodeState.REACHED})
    answer(terminal, {2: NodeState.UNREACHABLE}, "no_answer")
    found = _status(terminal)
    assert set(found) == {*STATUS_FIELDS, "nodes"}
    assert [set(node) for node in found["nodes"]] == [NODE_FIELDS] * 10
    assert [node["pledge_id"] for node in found["nodes"]] == [node_id(n) for n in range(1, 11)]
    assert found["nodes"][0]["state"] == "reached"
    assert found["nodes"][0]["reached"].endswith("Z")
    assert (found["nodes"][1]["state"], found["nodes"][1]["last_error"]) == (
        "unreachable", "no_answer"
    )  # fmt: skip
    assert found["counts"] == {
        "6ln": {"pending": 7, "reached": 1, "unreachable": 1},
        "6lbr": {"pending": 1},
    }
    assert (found["key_ids"], found["former_key_ids"], found["generation"]) == ([2], [1], 2)


def test_for_people_those_who_lag_behind_are_listed(terminal: Terminal) -> None:
    """All of them with --all."""
    terminal.jrc(*START)
    answer(terminal, dict.fromkeys(range(1, 9), NodeState.REACHED))
    shown = terminal.jrc("rollover", "status").out
    assert shown.startswith(
        "lab: distributing, key id 2 in place of key id 1\n"
        "8 of 9 6LNs reached, 0 of 1 6LBR reached; deadline "
    )
    assert "; nobody is told anything: the daemon is not running\n" in shown
    assert node_id(9) in shown
    assert node_id(1) not in shown
    assert node_id(1) in terminal.jrc("rollover", "status", "--all").out


def test_a_started_rollover_as_json_is_its_status_without_nodes(terminal: Terminal) -> None:
    """So are those of pause, resume and abort."""
    started = terminal.jrc(*START, "--json").json
    assert (set(started), started["phase"]) == (STATUS_FIELDS, "distributing")
    for words, phase in (
        (("pause", "lab"), "paused"),
        (("resume", "lab"), "distributing"),
        (("abort", "lab", "--yes"), "aborted"),
    ):
        found = terminal.jrc("rollover", *words, "--json").json
        assert (set(found), found["phase"]) == (STATUS_FIELDS, phase)


def test_a_deadline_with_too_few_pauses_and_says_what_to_do(terminal: Terminal) -> None:
    """Going on without the rest says who is cut off, and asks."""
    terminal.jrc(*START)
    answer(terminal, dict.fromkeys(range(1, 8), NodeState.REACHED))
    answer(terminal, {8: NodeState.UNREACHABLE, 9: NodeState.UNREACHABLE}, "no_answer")
    go_on(terminal, deadline_passed=True)
    shown = terminal.jrc("rollover", "status", "lab").out
    assert "lab: paused, " in shown
    assert "The deadline has passed with 7 of 9 6LNs reached" in shown
    assert "`jrc rollover resume lab`" in shown
    done = terminal.jrc("rollover", "resume", "lab", "--anyway")
    _refused(
        done, ExitCode.REFUSED, "come into force with 7 of 9 6LNs", "2 6LNs have not got them",
        "this needs a yes",
    )  # fmt: skip
    assert _status(terminal)["phase"] == "paused"
    assert terminal.jrc("rollover", "resume", "lab", "--anyway", "--yes").code == 0
    assert _status(terminal)["phase"] == "switching"


def test_an_abort_says_who_is_told_again_and_asks(terminal: Terminal) -> None:
    """Then the keys in force stay; a second one has nothing to abort."""
    terminal.jrc(*START)
    answer(terminal, {1: NodeState.REACHED, 2: NodeState.SENT})
    done = terminal.jrc("rollover", "abort", "lab")
    _refused(
        done, ExitCode.REFUSED, "calls off the rollover of lab", "2 nodes may have been told",
        "this needs a yes",
    )  # fmt: skip
    done = terminal.jrc("rollover", "abort", "lab", "--yes", "--reason", "mistake")
    assert done.code == 0
    assert done.err.endswith(
        "lab: aborted, key id 2 in place of key id 1; the keys in force stay\n"
    )
    states = {node["state"] for node in _status(terminal)["nodes"][:2]}
    assert states == {"reverting"}
    _refused(terminal.jrc("rollover", "abort", "lab"), ExitCode.REFUSED, "over (aborted)")


def test_a_yes_to_going_on_comes_with_what_was_shown(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is for that rollover, and for no more nodes that are cut off; --yes as well."""
    terminal.jrc(*START)
    answer(terminal, dict.fromkeys(range(1, 9), NodeState.REACHED))
    answer(terminal, {9: NodeState.UNREACHABLE}, "no_answer")
    go_on(terminal, deadline_passed=True)
    was = {"id": 1, "phase": "distributing", "affected": 0}

    def confirm(plan: Mapping[str, Any], *, yes: bool) -> None:
        assert (plan["shown"], yes) == ({**was, "affected": 1}, True)
        plan["shown"].update(was)

    with monkeypatch.context() as patch:
        patch.setattr("jrc.cli.rollover.confirm", confirm)
        done = terminal.jrc("rollover", "resume", "lab", "--anyway", "--yes")
    _refused(done, ExitCode.REFUSED, "it concerns 1 6LN now, and 0 then; nothing was done")
    assert _status(terminal)["phase"] == "paused"


def test_after_the_switch_there_is_only_forward(terminal: Terminal) -> None:
    """Abort is refused before anything is asked."""
    terminal.jrc(*START)
    answer(terminal, dict.fromkeys(range(1, 10), NodeState.REACHED))
    go_on(terminal)
    assert _status(terminal)["phase"] == "switching"
    _refused(terminal.jrc("rollover", "abort", "lab"), ExitCode.REFUSED, "can only go forward")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("pause", "lab"), "network lab has had no rollover"),
        (("resume", "lab"), "network lab has had no rollover"),
        (("abort", "lab"), "network lab has had no rollover"),
    ],
)
def test_what_was_never_started_can_not_be_moved(
    idle: Terminal, words: tuple[str, ...], said: str
) -> None:
    """The hint starts one."""
    _refused(idle.jrc("rollover", *words), ExitCode.REFUSED, said, "`jrc rollover start`")


def test_a_second_rollover_is_refused_before_its_plan_is_shown(terminal: Terminal) -> None:
    """It names who started the first, and what can be done with that; --yes changes nothing."""
    terminal.jrc(*START)
    for words in (START, START[:-1], (*START, "--at", "2126-11-22T02:00")):
        done = terminal.jrc(*words)
        _refused(
            done, ExitCode.REFUSED, "has a rollover already, started at",
            "`jrc rollover watch lab`", "`jrc rollover pause lab`", "`jrc rollover abort lab`",
        )  # fmt: skip
        assert "gets new link-layer keys" not in done.err


def test_the_reason_of_a_pause_is_shown_with_the_way_on(terminal: Terminal) -> None:
    """To people and to programs; until it goes on."""
    terminal.jrc(*START, "--reason", "yearly")
    assert 'paused by "' not in terminal.jrc("rollover", "status").out
    said = terminal.jrc("rollover", "pause", "lab", "--reason", "radio noise").err
    paused = _status(terminal)["paused"]
    assert set(paused) == {"cause", "phase", "at", "actor", "reason", "sentence"}
    assert (paused["cause"], paused["reason"]) == ("operator", "radio noise")
    shown = terminal.jrc("rollover", "status").out
    for words in ('("radio noise"): `jrc rollover resume lab` goes on', f"by {paused['actor']} "):
        assert words in shown
        assert words in said
    rows = dict(line.split("  ", 1) for line in shown.splitlines() if "  " in line)
    assert rows["reason"].strip() == "yearly"
    assert rows["reason of the pause"].strip() == "radio noise"
    assert rows["paused since"].strip() == paused["at"]
    terminal.jrc("rollover", "resume", "lab")
    assert _status(terminal)["paused"] is None
    assert "radio noise" not in terminal.jrc("rollover", "status").out


def test_6lbrs_stand_on_top_of_those_who_lag_behind(terminal: Terminal) -> None:
    """A switch waits for each of them."""
    terminal.jrc(*START)
    shown = terminal.jrc("rollover", "status").out
    assert shown.index(node_id(10)) < shown.index(node_id(1))


def test_a_rollover_may_begin_later(terminal: Terminal) -> None:
    """A time without a zone is this host's."""
    done = terminal.jrc(*START, "--at", "2126-11-22T02:00+01:00")
    assert (done.code, "It begins at 2126-11-22T01:00:00.000Z." in done.err) == (0, True)
    found = _status(terminal)
    assert (found["phase"], found["begins"]) == ("planned", "2126-11-22T01:00:00.000Z")
    assert "begins at 2126-11-22T01:00:00.000Z" in terminal.jrc("rollover", "status", "lab").out


def test_quorum_and_deadline_are_for_this_rollover(terminal: Terminal) -> None:
    """A share in either form."""
    for share in ("0.95", "95%", "95.0 %"):
        assert terminal.jrc(*START, "--quorum", share, "--deadline", "4h").code == 0
        found = _status(terminal)
        assert (found["quorum_permille"], found["deadline_s"]) == (950, 14_400)
        assert terminal.jrc("rollover", "abort", "lab", "--yes").code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("lob",), ExitCode.FAILED, "did you mean lab"),
        (("",), ExitCode.USAGE, "the name is empty"),
        (("lab", "--quorum", "0.8"), ExitCode.USAGE, "0.9 to 1 of its nodes"),
        (("lab", "--quorum", "0.9991"), ExitCode.USAGE, "three decimals\nhint: write it as 0.95"),
        (("lab", "--quorum", "1.1"), ExitCode.USAGE, "no share of 0 to 1"),
        (("lab", "--quorum", "most"), ExitCode.USAGE, "'most' is no share\nhint: "),
        (("lab", "--quorum", "nan"), ExitCode.USAGE, "'nan' is no share\nhint: "),
        (("lab", "--deadline", "10"), ExitCode.USAGE, "hint: write it as 90s, 10m, 2h or 1d"),
        (("lab", "--deadline", "0s"), ExitCode.USAGE, "deadline: 0 s does not lie in 1 s to"),
        (("lab", "--deadline", "9999d"), ExitCode.USAGE, "does not lie in"),
        (("lab", "--at", "noon"), ExitCode.USAGE, "--at: 'noon' is no time\nhint: write it as"),
        (("lab", "--at", "0001-01-01"), ExitCode.USAGE, "--at: "),
        (("lab", "--at", "2020-01-01T00:00Z"), ExitCode.USAGE, "is over; it is 20"),
        (("lab", "--timeout", "1h"), ExitCode.USAGE, "--timeout goes with --wait"),
        (("lab", "--wait", "--timeout", "soon"), ExitCode.USAGE, "--timeout: 'soon' is no dura"),
        (("lab", "--assume", "loss=2%"), ExitCode.USAGE, "--assume goes with --rehearse"),
        (("lab", "--rehearse", "--wait"), ExitCode.USAGE, "--rehearse starts nothing that --wait"),
        (("lab", "--wait", "--yes"), ExitCode.UNREACHABLE, "the daemon is not running\nhint: "),
    ],
)
def test_what_can_not_be_started_is_refused(
    idle: Terminal, words: tuple[str, ...], code: ExitCode, said: str
) -> None:
    """In one sentence, before anybody is asked, and nothing is begun."""
    _refused(idle.jrc("rollover", "start", *words), code, said)
    assert _status(idle)["phase"] is None


def test_without_a_name_the_only_network_is_meant(terminal: Terminal) -> None:
    """With more, the only one whose keys are being changed."""
    add_network(terminal, "hall")
    done = terminal.jrc("rollover", "status")
    _refused(done, ExitCode.USAGE, "there are 2 networks", "`jrc rollover list`")
    terminal.jrc("rollover", "start", "lab", "--yes")
    assert terminal.jrc("rollover", "status", "--json").json["network"] == "lab"


def test_without_any_network_there_is_none_to_show(tmp_path: Path) -> None:
    """The hint makes one."""
    terminal = Terminal(tmp_path)
    terminal.init()
    done = terminal.jrc("rollover", "status")
    _refused(done, ExitCode.FAILED, "there is no network", "`jrc network add`")


def test_the_listing_has_each_network(terminal: Terminal) -> None:
    """Those that share keys have the same rollover."""
    add_network(terminal, "hall", "--key-domain", "lab")
    add_network(terminal, "shed")
    terminal.jrc(*START)
    listed = terminal.jrc("rollover", "list", "--json").json
    assert [(each["network"], each["phase"]) for each in listed] == [
        ("hall", "distributing"), ("lab", "distributing"), ("shed", None)
    ]  # fmt: skip
    assert [set(each) for each in listed] == [STATUS_FIELDS] * 3
    assert terminal.jrc("rollover", "list").out.splitlines()[0].startswith("NETWORK\tPHASE")
    assert json.loads(terminal.jrc("rollover", "status", "--json").out)["networks"] == [
        "hall", "lab"
    ]  # fmt: skip


@pytest.mark.parametrize(
    "command", ["start", "status", "watch", "pause", "resume", "abort", "list"]
)
def test_each_command_explains_itself_with_an_example(made: Terminal, command: str) -> None:
    """As all others."""
    done = made.jrc("rollover", command, "--help")
    assert (done.code, "Example" in done.out) == (0, True)
    assert f"jrc rollover {command}" in done.out
