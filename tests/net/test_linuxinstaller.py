"""Keys in a Linux interface: what a played kernel is asked, in which order, what may fail."""

from tests.net.bench import (
    AFTER,
    BEFORE,
    DURING,
    INSTALLED,
    NEW,
    NODE,
    OLD,
    OTHER,
    THIRD,
    Bench,
    document,
    key,
    restart,
)
from tests.net.wpan import Device


def test_the_first_run_sends_only_when_all_that_it_takes_to_receive_is_there(bench: Bench) -> None:
    """Devices, levels, keys, and then the parameters."""
    assert bench.install(BEFORE) == INSTALLED
    assert bench.steps == ["add node", "add level", "add level", "add key", "send"]
    wpan = bench.kernel.wpan
    assert (wpan.enabled, wpan.out_key, wpan.out_level) == (1, (1, 1), 5)
    assert wpan.keys == {(1, 1, 0): (3, OLD)}
    assert wpan.levels == [(0, 1 << 1), (1, 1 << 5)]
    assert wpan.devices == {NODE: Device(0xCAFE, 0x10, 0)}


def test_a_run_that_finds_everything_there_changes_nothing(bench: Bench) -> None:
    """As after a restart of the daemon: the frame counter goes on."""
    bench.install(BEFORE)
    bench.kernel.wpan.frame_counter = 77
    assert bench.install(BEFORE) == INSTALLED
    assert bench.steps == []
    assert bench.kernel.wpan.frame_counter == 77


def test_old_keys_stay_until_they_are_retired(bench: Bench) -> None:
    """RFC 9031 §8.4.3.1: new ones are added, then sent with; the old ones go last, or later."""
    bench.install(BEFORE)
    assert bench.install(DURING) == INSTALLED
    assert bench.steps == ["add key", "send"]
    assert (bench.held, bench.kernel.wpan.out_key) == ({1: OLD, 2: NEW}, (1, 2))
    assert bench.install(AFTER) == INSTALLED
    assert bench.steps == ["remove key"]
    assert bench.held == {2: NEW}


def test_keys_that_are_to_come_are_received_with_and_not_sent_with(bench: Bench) -> None:
    """Nodes that were told may use them before this radio does."""
    bench.install(document(key(1, OLD), key(2, NEW, "scheduled")))
    assert (bench.held, bench.kernel.wpan.out_key) == ({1: OLD, 2: NEW}, (1, 1))


def test_the_key_that_is_sent_with_goes_only_after_the_switch(bench: Bench) -> None:
    """No moment without a key to send with, even where a whole rollover was missed."""
    bench.install(BEFORE)

    def look(_message: object) -> None:
        wpan = bench.kernel.wpan
        assert (*wpan.out_key, 0) in wpan.keys

    bench.kernel.before = look
    assert bench.install(document(key(3, THIRD))) == INSTALLED
    assert bench.steps == ["add key", "send", "remove key"]


def test_another_usage_takes_both_levels_and_then_the_new_one_alone(bench: Bench) -> None:
    """One entry a frame type, the new one before the old one goes: Linux looks at the first."""
    bench.install(BEFORE)
    bench.install(document(key(2, NEW, usage=1), key(1, OLD, "previous")))
    assert bench.steps[:4] == ["add level", "add level", "remove level", "remove level"]
    assert bench.kernel.wpan.levels == [(0, 1 << 1 | 1 << 2), (1, 1 << 5 | 1 << 6)]
    bench.install(document(key(2, NEW, usage=1)))
    assert bench.kernel.wpan.levels == [(0, 1 << 2), (1, 1 << 6)]


def test_what_others_have_put_in_under_an_index_or_for_other_frames_goes(bench: Bench) -> None:
    """Else the kernel would say EEXIST for ever; the tables are the installer's alone."""
    bench.kernel.wpan.keys = {(1, 1, 0): (3, NEW), (1, 9, 0): (2, OLD), (1, 200, 0): (3, THIRD)}
    assert bench.install(BEFORE) == INSTALLED
    assert bench.held == {1: OLD}


# Nodes


def test_nodes_come_and_go_and_keep_their_frame_counter(bench: Bench) -> None:
    """A counter that began anew would let frames be replayed."""
    bench.install(BEFORE)
    bench.kernel.wpan.devices[NODE] = Device(0xCAFE, 0x10, 500)
    bench.install(document(key(1, OLD), nodes=(NODE, OTHER)))
    assert bench.steps == ["add node"]
    bench.install(document(key(1, OLD), nodes=(OTHER, NODE)))
    assert bench.kernel.wpan.devices == {
        OTHER: Device(0xCAFE, 0x10, 0),
        NODE: Device(0xCAFE, 0x11, 500),
    }
    bench.install(document(key(1, OLD), nodes=(OTHER,)))
    assert bench.steps == ["remove node"]
    assert bench.kernel.wpan.devices == {OTHER: Device(0xCAFE, 0x10, 0)}


def test_nodes_beyond_what_the_kernel_lists_are_put_in_all_the_same(bench: Bench) -> None:
    """It tells a long table from its beginning again and again."""
    many = tuple(number.to_bytes(8) for number in range(1, 8))
    assert bench.install(document(key(1, OLD), nodes=many)) == INSTALLED
    assert bench.install(document(key(1, OLD), nodes=many, first=0x40)) == INSTALLED
    shorts = {eui64: each.short for eui64, each in bench.kernel.wpan.devices.items()}
    assert shorts == {eui64: 0x40 + n for n, eui64 in enumerate(many)}


def test_nodes_beyond_what_the_kernel_lists_are_not_put_in_at_each_run(bench: Bench) -> None:
    """They keep their frame counters, too, and go when they are to go."""
    many = tuple(number.to_bytes(8) for number in range(1, 8))
    bench.install(document(key(1, OLD), nodes=many))
    for eui64, each in bench.kernel.wpan.devices.items():
        bench.kernel.wpan.devices[eui64] = each._replace(frame_counter=99)
    bench.install(document(key(1, OLD), nodes=(*many, NODE)))
    assert bench.steps == ["add node"]
    assert bench.install(document(key(1, OLD), nodes=many[:1])) == INSTALLED
    assert bench.kernel.wpan.devices == {many[0]: Device(0xCAFE, 0x10, 99)}


def test_short_addresses_may_change_hands_beyond_what_the_kernel_lists(bench: Bench) -> None:
    """All that go, go before any comes: the kernel has no short address twice."""
    many = tuple(number.to_bytes(8) for number in range(1, 8))
    bench.install(document(key(1, OLD), nodes=many))
    turned = (*many[1:], many[0])
    assert bench.install(document(key(1, OLD), nodes=turned)) == INSTALLED
    shorts = {eui64: each.short for eui64, each in bench.kernel.wpan.devices.items()}
    assert shorts == {eui64: 0x10 + n for n, eui64 in enumerate(turned)}


def test_all_nodes_are_put_into_an_interface_that_was_made_anew(bench: Bench) -> None:
    """What was known of the one before does not count."""
    many = tuple(number.to_bytes(8) for number in range(1, 8))
    bench.install(document(key(1, OLD), nodes=many))
    restart(bench)
    assert bench.install(document(key(1, OLD), nodes=many)) == INSTALLED
    assert bench.kernel.wpan.devices.keys() == set(many)


def test_another_pan_id_gives_every_device_anew(bench: Bench) -> None:
    """Linux knows a short address in its PAN alone."""
    bench.install(BEFORE)
    bench.kernel.wpan.pan_id = 0xBEEF
    assert bench.install(BEFORE) == INSTALLED
    assert bench.kernel.wpan.devices == {NODE: Device(0xBEEF, 0x10, 0)}
