"""The mesh of transmitting nodes: it sees every frame that is lost for want of a key."""

from collections.abc import Sequence
from random import Random

from jrc.cojp.constants import COJP_REKEYING_GUARD_TIME_S as GUARD_TIME_S
from jrc.lab.configuration import LabConfiguration, LabKey
from jrc.lab.link_keys import Frames
from jrc.lab.mesh import Air, Mesh, Place, Sleep, Unread, connected
from jrc.lab.node import SimulatedNode
from jrc.lab.pledge import SimulatedPledge
from jrc.model import Secret
from tests.lab.teller import Teller, key

PSK = bytes(range(16))
OLD, NEW = key(1), key(2)
NODES = 40


def node(number: int, keys: Sequence[LabKey] = (OLD,)) -> SimulatedNode:
    """Number 0 is the 6LBR."""
    name = number.to_bytes(8)
    made = SimulatedNode(SimulatedPledge(name, Secret(PSK), b"\xca\xfe", int(number == 0)))
    made.joined(LabConfiguration(keys=tuple(keys)))
    return made


def mesh_of(count: int = NODES, loss: float = 0.0, seed: int = 1) -> Mesh:
    chance = Random(seed)
    places = connected([node(number) for number in range(count)], chance)
    return Mesh(places, Air(loss, chance) if loss else None)


def tell(mesh: Mesh, number: int, now_s: float, *keys: LabKey) -> bool:
    """Whether a node acknowledges an update with keys, at the first try or a later one."""
    name = number.to_bytes(8)
    teller = Teller(name, PSK)
    request = teller.keys(*keys, number=int(now_s * 1000) + number)
    return any(mesh.deliver(name, request, now_s) is not None for _ in range(20))


def test_a_mesh_is_connected_and_deep() -> None:
    """Everybody hears the root over some hops, so that a switch has to ripple."""
    places = connected([node(number) for number in range(NODES)], Random(1))
    links = {place.node.identifier: place.neighbours for place in places}
    hops, reached, edge = 0, {bytes(8)}, {bytes(8)}
    while edge := {far for near in edge for far in links[near]} - reached:
        reached |= edge
        hops += 1
    assert len(reached) == NODES
    assert hops >= 5
    assert all(near in links[far] for near in links for far in links[near])


def test_a_quiet_network_loses_nothing() -> None:
    """Everybody has the keys of the others; radio loss is no want of a key."""
    for loss in (0.0, 0.3):
        mesh = mesh_of(loss=loss)
        mesh.advance(20)
        assert mesh.sent == 21 * 2 * NODES
        assert mesh.unread == {}


def test_a_rollover_as_the_rfc_has_it_loses_no_frame() -> None:
    """6LNs first, then the 6LBR; the switch ripples from there (RFC 9031 §8.4.3.1-2)."""
    mesh = mesh_of(loss=0.1)
    for number in range(1, NODES):
        assert tell(mesh, number, number, NEW)
    assert all(place.node.keys.sending == (OLD,) for place in mesh.places.values())
    assert tell(mesh, 0, 100, NEW)
    mesh.advance(100 + 3 * GUARD_TIME_S)
    assert mesh.unread == {}
    keys = [place.node.keys for place in mesh.places.values()]
    assert all(each.sending == (NEW,) and each.held_ids() == {2} for each in keys)


def test_telling_the_6lbr_first_loses_frames() -> None:
    """A check that can't fail says nothing: its beacons under the new keys are not read."""
    mesh = mesh_of()
    tell(mesh, 0, 1, NEW)
    mesh.advance(3)
    lost = mesh.lost_between(set(mesh.places))
    assert {unread.sender for unread in lost} == {bytes(8)}
    assert {unread.key_id for unread in lost} == {2}


def test_a_node_that_was_not_told_loses_frames_that_do_not_count_between_the_others() -> None:
    """It is to join again (RFC 9031 §8.4.3.1); what the others say to each other is read."""
    mesh = mesh_of()
    for number in range(1, NODES - 1):
        tell(mesh, number, number, NEW)
    tell(mesh, 0, 100, NEW)
    mesh.advance(100 + 3 * GUARD_TIME_S)
    left_out = (NODES - 1).to_bytes(8)
    assert mesh.unread
    assert mesh.lost_between(set(mesh.places) - {left_out}) == {}


def test_a_set_retired_at_once_loses_frames() -> None:
    """What the guard time is for (RFC 9031 §8.5)."""
    places = connected([node(number) for number in range(NODES)], Random(1))
    for place in places:
        place.node.keys._guard_time_s = 0.0
    mesh = Mesh(places)
    for number in range(1, NODES):
        tell(mesh, number, number, NEW)
    tell(mesh, 0, 100, NEW)
    mesh.advance(110)
    assert mesh.lost_between(set(mesh.places))


def test_a_dead_node_is_silent_and_a_sleeping_one_answers_when_it_is_awake() -> None:
    """Neither hears what is told it meanwhile."""
    asleep = Sleep(every_s=100, awake_s=5)
    mesh = Mesh([Place(node(0)), Place(node(1), sleep=asleep), Place(node(2), is_dead=True)])
    assert not tell(mesh, 1, 50, NEW)
    assert tell(mesh, 1, 101, NEW)
    assert not tell(mesh, 2, 101, NEW)
    assert not tell(mesh, 9, 101, NEW)


def test_a_node_that_has_slept_listens_before_it_sends() -> None:
    """It has to hear a beacon to be in step again, and so switches first (TSCH)."""
    near, far = node(0), node(1)
    mesh = Mesh(
        [
            Place(near, (far.identifier,)),
            Place(far, (near.identifier,), sleep=Sleep(every_s=100, awake_s=5)),
        ]
    )
    assert tell(mesh, 1, 2, NEW)
    assert tell(mesh, 0, 50, NEW)
    mesh.advance(99)
    assert far.keys.sending == (OLD,)
    mesh.advance(200)
    assert far.keys.sending == (NEW,)
    assert mesh.unread == {}


def test_a_sleeper_that_alone_forwards_to_the_6lbr_loses_frames() -> None:
    """It wakes up after the 6LBR's guard time and hears the others first (RFC 9031 §8.4.3.1-2)."""
    asleep = Sleep(every_s=100, awake_s=20, phase_s=90)
    root, relay, far = node(0), node(1), node(2)
    ends = (root.identifier, far.identifier)
    mesh = Mesh(
        [
            Place(root, (relay.identifier,)),
            Place(relay, ends, sleep=asleep),
            Place(far, (relay.identifier,)),
        ]
    )
    assert all(tell(mesh, number, 1 + number, NEW) for number in (1, 2))
    assert tell(mesh, 0, 20, NEW)
    mesh.advance(89)
    assert mesh.unread == {}
    mesh.advance(100)
    assert mesh.unread == {Unread(relay.identifier, root.identifier, OLD.key_id): len(Frames)}
    assert far.keys.sending == (NEW,)


def test_a_node_that_joins_while_the_network_switches_sends_as_its_neighbours_do() -> None:
    """It opens the frame of its Join Response before it sends one (RFC 9031 §5.1)."""
    root, old, new = node(0), node(1, [OLD, NEW]), node(2)
    places = [
        Place(each, tuple(other.identifier for other in (root, old, new) if other is not each))
        for each in (root, old, new)
    ]
    mesh = Mesh(places)
    tell(mesh, 0, 1, NEW)
    tell(mesh, 1, 1, NEW)
    mesh.advance(1 + 3 * GUARD_TIME_S)
    mesh.unread.clear()
    places[2].join(LabConfiguration(keys=(OLD, NEW)))
    assert new.keys.sending == (OLD,)
    mesh.advance(10 + 3 * GUARD_TIME_S)
    assert (new.keys.sending, mesh.unread) == ((NEW,), {})


def test_a_node_that_slept_over_the_guard_time_untold_is_out() -> None:
    """It hears nothing it could read, and so says nothing; it has to join again."""
    near, far = node(0), node(1)
    mesh = Mesh(
        [
            Place(near, (far.identifier,)),
            Place(far, (near.identifier,), sleep=Sleep(every_s=100, awake_s=5)),
        ]
    )
    tell(mesh, 0, 50, NEW)
    mesh.advance(150)
    assert mesh.places[far.identifier].listening
    assert far.keys.sending == (OLD,)


def test_a_node_that_has_not_joined_is_silent_and_hears_nothing() -> None:
    """It has no keys to send with."""
    near, far = node(0), node(1, ())
    mesh = Mesh([Place(near, (far.identifier,)), Place(far, (near.identifier,))])
    mesh.advance(1)
    assert (mesh.sent, mesh.unread) == (4, {})


def test_a_set_without_a_key_for_data_loses_data_frames() -> None:
    """Usages 6 to 8 are for beacons alone (RFC 9031 Table 6)."""
    near, far = node(0, [key(1, 6)]), node(1)
    mesh = Mesh([Place(near, (far.identifier,)), Place(far, (near.identifier,))])
    mesh.advance(0)
    assert mesh.unread[Unread(near.identifier, far.identifier, None)] == 1
