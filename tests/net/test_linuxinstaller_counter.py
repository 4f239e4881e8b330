"""How far a radio has counted is remembered: no nonce comes twice (row E7)."""

from typing import Any

from jrc.net.framecounter import Seen
from tests.net.bench import BEFORE, DURING, INSTALLED, NOW_S, Bench, restart
from tests.net.nl802154 import FRAME_COUNTER, SETPARAMS


def test_e07_an_interface_that_was_made_anew_begins_above_what_it_can_have_sent(
    bench: Bench,
) -> None:
    """IEEE 802.15.4: key, EUI-64 and frame counter are the nonce."""
    bench.install(BEFORE)
    bench.kernel.wpan.frame_counter = 900
    bench.now_s += 3600
    assert bench.keeps()
    restart(bench)
    bench.now_s += 10
    assert not bench.keeps()
    assert bench.install(BEFORE) == INSTALLED
    assert bench.kernel.wpan.frame_counter == 900 + 11 * 1000
    (sent,) = [each for each in bench.kernel.requests if each.command == SETPARAMS]
    assert FRAME_COUNTER in sent.attributes, "with the key, in one message"


def test_what_is_begun_with_is_on_disk_before_it_is_sent_with(bench: Bench) -> None:
    """A crash between the two costs numbers and no nonce."""
    bench.install(BEFORE)
    restart(bench)
    seen: list[Seen | None] = []

    def look(message: Any) -> None:
        if message.command == SETPARAMS:
            seen.append(bench.memory.read())

    bench.kernel.before = look
    bench.install(BEFORE)
    assert seen == [Seen(1000, NOW_S, 1)]


def test_e07_without_a_good_number_the_same_keys_are_refused_and_new_ones_are_not(
    bench: Bench,
) -> None:
    """Row E7: what has begun anew gets keys that were never used."""
    bench.install(BEFORE)
    restart(bench)
    bench.now_s -= 1
    outcome = bench.install(BEFORE)
    assert not outcome.installed
    assert outcome.how == (
        "wpan0 counts its frames anew, and the clock is behind the last look at its frame counter:"
        " with the same keys it would repeat nonces; see that the clock is right; if it is, give"
        " the network new keys with `jrc rollover start`"
    )
    assert not bench.kernel.wpan.enabled
    assert bench.install(DURING) == INSTALLED
    assert bench.kernel.wpan.out_key == (1, 2)


def test_a_damaged_memory_keeps_the_radio_silent(bench: Bench) -> None:
    """Whether the interface is new is not known any more."""
    bench.install(BEFORE)
    bench.memory.path.write_text("?")
    outcome = bench.install(DURING)
    assert "is damaged" in outcome.how
    assert bench.kernel.wpan.out_key == (1, 1)
    assert not bench.keeps()


def test_a_look_now_and_then_remembers_how_far_the_counter_is(bench: Bench) -> None:
    """Seldom, for a disk's sake."""
    bench.install(BEFORE)
    bench.kernel.wpan.frame_counter = 50
    bench.now_s += 599
    assert bench.keeps()
    assert bench.memory.read() == Seen(0, NOW_S, 1)
    bench.now_s += 1
    assert bench.keeps()
    assert bench.memory.read() == Seen(50, NOW_S + 600, 1)


def test_a_radio_that_was_never_set_or_is_gone_keeps_nothing(bench: Bench) -> None:
    """So it is put in again, and that says what is wrong."""
    assert not bench.keeps()
    bench.install(BEFORE)
    assert bench.keeps()
    bench.kernel.interfaces.clear()
    assert not bench.keeps()
