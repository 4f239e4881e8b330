"""Who is waited for, who comes and who goes while a rollover runs."""

from functools import partial

import pytest

from jrc.model import Profile
from jrc.policy.rollover import Phase
from jrc.service.enroll import remove_pledge
from jrc.service.installers import InstallerId
from jrc.service.networks import remove_network
from jrc.service.records import InstallationRecord
from jrc.service.rollover import advance, resume_rollover
from jrc.service.rollover_consent import plan_resume
from jrc.service.rollover_leaving import leave
from tests.desk import ACTOR, Desk
from tests.rollovers import Floor, floor_at

# --- 6LBRs that are no CoJP nodes ---------------------------------------------------------------


def installed(floor: Floor, generation: int, version: int, name: str = "exec") -> None:
    record = InstallationRecord(
        network_id=1, installer=name, generation=generation, tried_at_ms=1, version=version
    )
    floor.desk.write(lambda tx: tx.installations.save(record))


def _installed(floor: Floor) -> dict[str, bool]:
    """Of each installer, whether its radio has the new keys."""
    return {name: each.installed for name, each in (floor.status().installers or {}).items()}


def test_the_switch_waits_for_radios_as_well(desk: Desk) -> None:
    """An installer is a 6LBR that is reached when it has put the new generation in."""
    with floor_at(desk, 1, 0) as floor:
        installed(floor, 1, 0)
        floor.start()
        floor.to_switching()
        assert floor.advance() is Phase.SWITCHING
        assert {"lab/exec": False} == _installed(floor)
        assert () == floor.status().without_router, "it begins as soon as it can"
        installed(floor, 2, 1)
        assert {"lab/exec": True} == _installed(floor)
        assert floor.advance() is Phase.GUARDING


def test_the_switch_waits_for_configured_installers_alone(desk: Desk) -> None:
    """One that was taken out of the config file never comes; one that never ran has to."""
    with floor_at(desk, 1, 0) as floor:
        installed(floor, 1, 0, "old")
        floor.start()
        floor.tell()

        def look() -> Phase:
            configured = [InstallerId("lab", "new"), InstallerId("elsewhere", "new")]
            return desk.write(lambda tx: advance(tx, 1, installers=configured)).phase

        assert look() is Phase.SWITCHING
        assert look() is Phase.SWITCHING
        installed(floor, 2, 0, "new")
        assert look() is Phase.GUARDING


def test_an_installer_of_a_host_that_is_gone_is_waited_for_no_more_by_the_operators_word(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registrars that share a database wait for those of all; one that runs again counts again."""
    monkeypatch.setattr("jrc.store.registry.is_server", lambda _connection: True)
    here = [InstallerId("lab", "here")]
    with floor_at(desk, 1, 0) as floor:
        installed(floor, 1, 0, "gone")
        installed(floor, 1, 0, "here")
        floor.start()
        floor.tell()

        def look(number: int = 1, *, guard_over: bool = False) -> Phase:
            work = partial(advance, rollover_id=number, guard_over=guard_over, installers=here)
            return desk.write(work).phase

        assert look() is Phase.SWITCHING
        installed(floor, 2, 1, "here")
        assert look() is Phase.SWITCHING
        plan = desk.read(lambda tx: plan_resume(tx, "lab", anyway=True, installers=here))
        assert plan.sentences[1].startswith("installer lab/gone has not got the new keys")
        desk.write(lambda tx: resume_rollover(tx, "lab", anyway=True, actor=ACTOR, installers=here))
        assert look(guard_over=True) is Phase.DONE
        assert {"lab/gone": False, "lab/here": True} == _installed(floor), "as it ended"
        floor.start()
        floor.tell(number=2)
        installed(floor, 3, 2, "here")
        assert look(2) is Phase.GUARDING
        assert {"lab/here": True} == _installed(floor)
        installed(floor, 1, 2, "gone")
        assert {"lab/here": True, "lab/gone": False} == _installed(floor), "it runs again"


def test_an_installer_that_is_configured_is_not_forgotten(desk: Desk) -> None:
    """It has failed, and is waited for the next time."""
    here = [InstallerId("lab", "here")]
    with floor_at(desk, 1, 0) as floor:
        installed(floor, 1, 0, "here")
        floor.start()
        floor.to_switching()
        desk.write(lambda tx: resume_rollover(tx, "lab", anyway=True, actor=ACTOR, installers=here))
        assert floor.advance(guard_over=True) is Phase.DONE
        assert {"lab/here": False} == _installed(floor)
        shown = floor.status(installers=here).installers or {}
        assert shown["lab/here"].error is None, "nobody has given it up"


def test_a_domain_with_nobody_to_tell_passes_through(desk: Desk) -> None:
    """Only the guard time takes time; the keys are new all the same."""
    with floor_at(desk, 0, 0) as floor:
        assert "guarding" == floor.start().phase
        assert ["started", "distributing", "switching", "guarding"] == floor.events()
        assert floor.advance(guard_over=True) is Phase.DONE


def test_nodes_that_take_no_updates_hold_nobody_up(desk: Desk) -> None:
    """They have to join again, and count nowhere."""
    with floor_at(desk, 1) as floor:
        floor.join(3, profile=Profile.OPENWSN)
        floor.start()
        assert {1: "pending", 2: "pending", 3: "must_join"} == floor.states()
        floor.to_done()
        assert "must_join" == floor.states()[3]


# --- Who comes and goes -------------------------------------------------------------------------


def test_a_node_that_leaves_is_told_nothing_more(floor: Floor) -> None:
    """In what runs, and in what was aborted; the others go on."""
    floor.start()
    floor.tell(only={1, 2})
    floor.desk.write(lambda tx: leave(tx, 3))
    assert [] == floor.due()
    assert floor.advance() is Phase.SWITCHING
    assert {1: "reached", 2: "reached", 3: "left", 4: "pending"} == floor.states()


def test_a_node_that_leaves_after_an_abort_is_not_told_the_old_keys(floor: Floor) -> None:
    """It may be the one that the next keys are for."""
    floor.start()
    floor.tell(only={1, 2})
    floor.abort()
    floor.desk.write(lambda tx: leave(tx, 1))
    assert [2] == floor.due()


def test_a_removed_pledge_leaves(floor: Floor) -> None:
    """Its row is a tombstone."""
    floor.start()
    floor.hall.act(remove_pledge, 2)
    assert "left" == floor.states()[2]


def test_e03_a_node_that_joins_while_it_runs_is_told_at_once(floor: Floor) -> None:
    """It was given the keys in force; being sent the others is not forgotten (row E10)."""
    floor.start()
    floor.tell(only={1})
    floor.hall.join(floor.pledges[1])
    floor.join(5)
    assert [1, 2, 3, 5] == floor.due()
    floor.abort()
    assert "reverting" == floor.states()[1]
    assert "pending" == floor.states()[5]


def test_a_network_that_is_removed_takes_its_nodes_along(desk: Desk) -> None:
    """Another one of the key domain goes on."""
    desk.network("yard", b"\xca\xff", key_domain="lab")
    with floor_at(desk, 1, 0, key_domain="lab") as floor:
        more = floor.hall.enroll(2, networks=("yard",))
        floor.hall.join(more, bytes.fromhex("a10542caff"))
        floor.start()
        desk.write(lambda tx: remove_network(tx, "yard", actor=ACTOR, agreed=True))
        assert {1: "pending", 2: "left"} == floor.states()


@pytest.mark.parametrize("switched", [False, True])
def test_a_rollover_ends_with_its_key_domain(floor: Floor, switched: bool) -> None:
    """Nobody is left who could be told anything; a new network of the name starts afresh."""
    floor.start()
    if switched:
        floor.to_switching()
    floor.desk.write(lambda tx: remove_network(tx, "lab", actor=ACTOR, agreed=True))
    record = floor.record()
    assert (Phase.DONE if switched else Phase.ABORTED) is record.phase
    assert floor.desk.now_ms == record.ended_at_ms
    assert {"retired"} == set(floor.generations().values())
    assert {"left"} == set(floor.states().values())
    assert [] == floor.due()
    assert record.phase == floor.advance(guard_over=True)
