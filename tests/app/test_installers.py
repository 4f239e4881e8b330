"""One installer beside the joins: runs, retries, changes and the end, with a program that is given.

Time is real and short; a test waits for what happens, and never for a while.
"""

import asyncio

import pytest
from structlog.testing import capture_logs

from jrc.app import installers
from jrc.app.installers import Installers
from jrc.config import Installer
from jrc.errors import ExitCode, OperatorError
from jrc.service.events import list_events
from jrc.service.installers import InstallationReport
from jrc.service.networks import NetworkChanges, remove_network, set_network
from jrc.service.registry import Registry
from tests.app.programs import AT_ONCE, BAD, FOLDER, GOOD, Office, Program, runner, settled, staged
from tests.desk import ACTOR, Desk


@pytest.fixture
def office(desk: Desk) -> Office:
    """A registrar with a network."""
    desk.network()
    return Office(desk)


def change(desk: Desk, *identifiers: bytes) -> None:
    """Something that the document has."""
    changes = NetworkChanges(identifiers=identifiers)
    desk.write(lambda tx: set_network(tx, "lab", changes, actor=ACTOR, agreed=True))


def kinds(desk: Desk) -> list[str]:
    found = [event.kind for event in desk.read(list_events)]
    return [kind for kind in found if kind.startswith("installer")]


def test_keys_are_put_in_at_the_start_and_at_each_change(office: Office) -> None:
    """Waking it without a change runs nothing."""

    async def work() -> None:
        program = Program()
        one = runner(office, program)
        task = asyncio.create_task(one.run())
        await settled(one, "installed")
        one.wake()
        change(office.desk, b"\xca\xfe", b"\xbe\xef")
        one.wake()
        await program.has_begun(2)
        await settled(one, "installed")
        task.cancel()
        assert program.reasons == ["start", "change"]
        assert [each["identifiers"] for each in program.documents] == [["cafe"], ["cafe", "beef"]]
        assert (one.successes, one.failures) == (2, 0)

    staged(work)


def test_a_failure_is_tried_again_until_it_works_and_said_once(office: Office) -> None:
    """One error line and one event, then one of each when it works; its first line is shown."""

    async def work() -> None:
        one = runner(office, Program(BAD, BAD, BAD), AT_ONCE)
        task = asyncio.create_task(one.run())
        await settled(one, "installed")
        task.cancel()
        assert (one.successes, one.failures) == (1, 3)

    with capture_logs() as logs:
        staged(work)
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("error", "installer_failed"),
        ("debug", "installer_failed_again"),
        ("debug", "installer_failed_again"),
        ("info", "installer_installed"),
    ]
    assert logs[0]["error"] == "exit code 1: no radio"
    assert kinds(office.desk) == ["installer.failed", "installer.installed"]


def test_a_failing_installer_is_seen_in_the_status(office: Office) -> None:
    """State, error, and what is in nevertheless."""

    async def work() -> dict[str, object]:
        program = Program(GOOD, BAD)
        one = runner(office, program)
        task = asyncio.create_task(one.run())
        await settled(one, "installed")
        change(office.desk, b"\xca\xfe", b"\xbe\xef")
        one.wake()
        status = await settled(one, "failed")
        task.cancel()
        return status

    status = staged(work)
    assert status.pop("installed_at") is not None
    assert status == {
        "state": "failed",
        "running": False,
        "generation": 1,
        "failures": 1,
        "error": "exit code 1: no radio",
    }


def test_changes_during_a_run_are_put_in_after_it_the_newest_only(office: Office) -> None:
    """The run goes on undisturbed, and what came between is skipped."""

    async def work() -> None:
        program = Program()
        program.holds = True
        one = runner(office, program)
        task = asyncio.create_task(one.run())
        await program.has_begun(1)
        for last in (b"\x01", b"\x02", b"\x03"):
            change(office.desk, b"\xca\xfe", last)
            one.wake()
            await asyncio.sleep(0)
        assert len(program.documents) == 1
        program.go_on()
        await program.has_begun(2)
        await settled(one, "installed")
        task.cancel()
        assert [each["identifiers"][-1] for each in program.documents] == ["cafe", "03"]

    staged(work)


def test_a_command_runs_it_although_nothing_has_changed_and_hears_the_outcome(
    office: Office,
) -> None:
    """With the name of who asked in the audit log."""

    async def work() -> list[InstallationReport]:
        program = Program(GOOD, BAD)
        one = runner(office, program)
        task = asyncio.create_task(one.run())
        await settled(one, "installed")
        told = [await one.ask("uid=7", "new radio") for _ in range(2)]
        task.cancel()
        assert program.reasons == ["start", "command", "command"]
        return told

    first, second = staged(work)
    assert (first.installed, first.failures, first.error) == (False, 1, "exit code 1: no radio")
    assert (second.installed, second.generation) == (True, 1)
    asked = office.desk.read(lambda tx: list_events(tx, kind="installer.failed"))
    assert [(event.actor, event.reason) for event in asked] == [("uid=7", "new radio")]


def test_commands_during_a_run_share_the_next_one(office: Office) -> None:
    """Never two at once, and none answers with a run that began before it was asked for."""

    async def work() -> None:
        program = Program(BAD)
        program.holds = True
        one = runner(office, program)
        task = asyncio.create_task(one.run())
        await program.has_begun(1)
        asking = [asyncio.create_task(one.ask("uid=7", "")) for _ in range(3)]
        await asyncio.sleep(0)
        program.go_on()
        told = await asyncio.gather(*asking)
        task.cancel()
        assert [each.installed for each in told] == [True] * 3
        assert program.reasons == ["start", "command"]

    staged(work)


def test_the_end_ends_a_run_and_tells_who_waits(office: Office) -> None:
    """A command is not left waiting for ever."""

    async def work() -> None:
        program = Program()
        program.holds = True
        section = Installer(network="lab", kind="exec", command=("/bin/true",))
        part = Installers((section,), FOLDER, office, _unexpected)
        part.runners = [runner(office, program)]
        await part.start()
        await program.has_begun(1)
        asking = asyncio.create_task(part.install("lab", actor="uid=7", reason=""))
        await asyncio.sleep(0)
        await part.stop()
        assert program.cancelled == 1
        with pytest.raises(OperatorError, match="is stopping") as refusal:
            await asking
        assert refusal.value.exit_code is ExitCode.UNREACHABLE

    staged(work)


def _unexpected(error: BaseException) -> None:
    raise AssertionError from error


def test_an_outcome_that_could_not_be_written_is_written_later(office: Office) -> None:
    """The program is not run a second time for that."""

    async def work() -> None:
        program = Program()
        office.broken = True
        one = runner(office, program, AT_ONCE)
        task = asyncio.create_task(one.run())
        await office.refused.wait()
        office.broken = False
        status = await settled(one, "installed")
        task.cancel()
        assert (status["generation"], len(program.documents)) == (1, 1)

    with capture_logs() as logs:
        staged(work)
    assert "installer_hindered" in {line["event"] for line in logs}
    assert kinds(office.desk) == ["installer.installed"]


def test_a_network_that_goes_away_needs_no_keys(office: Office) -> None:
    """A command says so; when it comes back with others they are put in."""

    async def work() -> None:
        program = Program()
        one = runner(office, program)
        task = asyncio.create_task(one.run())
        await settled(one, "installed")
        office.desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
        one.wake()
        with pytest.raises(OperatorError, match="there is no network 'lab'"):
            await one.ask("uid=7", "")
        assert one.status()["state"] == "failed"
        office.desk.network()
        one.wake()
        status = await settled(one, "installed")
        task.cancel()
        assert (status["generation"], len(program.documents)) == (2, 2)

    staged(work)


def test_an_unknown_network_is_waited_for_and_said_once(office: Office) -> None:
    """The daemon starts; the section works when its network comes, and waits when it goes."""

    async def work() -> None:
        section = Installer(network="lab", kind="exec", command=("/bin/true",))
        part = Installers((section,), FOLDER, office, _unexpected)
        program = Program()
        part.runners = [runner(office, program)]
        one = part.runners[0]
        office.desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
        await part.start()
        status = await settled(one, "failed")
        assert status["error"] == "there is no network 'lab'"
        part.changed()
        with pytest.raises(OperatorError, match="there is no network 'lab'"):
            await part.install("lab", actor="uid=7", reason="")
        assert program.documents == []
        office.desk.network()
        part.changed()
        await settled(one, "installed")
        office.desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
        part.changed()
        await settled(one, "failed")
        await part.stop()

    with capture_logs() as logs:
        staged(work)
    assert [(line["log_level"], line["event"]) for line in logs] == [
        ("error", "installer_waits"),
        ("info", "installer_installed"),
        ("error", "installer_waits"),
    ]
    assert "jrc network add" in logs[0]["hint"]


def test_a_network_without_installer_says_so(office: Office) -> None:
    """`jrc network install` has nothing to run."""

    async def work() -> None:
        part = Installers((), FOLDER, office, _unexpected)
        await part.start()
        with pytest.raises(OperatorError, match="no installer is configured for network lab"):
            await part.install("lab", actor="uid=7", reason="")
        assert (part.status(), part.counts()) == ({}, [])

    staged(work)


def test_an_error_that_nobody_expected_ends_the_daemon(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outermost guard hands it on."""

    def broken(_tx: Registry, _network: str, *, with_nodes: bool) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(installers, "wanted_keys", broken)
    met: list[BaseException] = []

    async def work() -> None:
        section = Installer(network="lab", kind="exec", command=("/bin/true",))
        part = Installers((section,), FOLDER, office, met.append)
        await part.start()
        await asyncio.wait(part._tasks)

    staged(work)
    assert [str(error) for error in met] == ["a fault"]


def test_metrics_count_runs(office: Office) -> None:
    """By network and installer, with the time of the last success."""

    async def work() -> None:
        section = Installer(network="lab", kind="exec", command=("/bin/true",))
        part = Installers((section,), FOLDER, office, _unexpected)
        part.runners = [runner(office, Program(BAD), AT_ONCE)]
        (before,) = part.counts()
        assert (before.installed, before.installed_at_ms) == (False, None)
        await part.start()
        await settled(part.runners[0], "installed")
        await part.stop()
        (count,) = part.counts()
        assert (count.network, count.installer, count.installed) == ("lab", "exec", True)
        assert (count.successes, count.failures) == (1, 1)
        assert count.installed_at_ms == office.desk.now_ms

    staged(work)
