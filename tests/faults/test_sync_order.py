"""The order of system calls: on disk first, sent then. SIGKILL can't see a missing fsync."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from jrc.cojp import message
from jrc.lab.pledge import SimulatedPledge
from tests.daemon.site import Site
from tests.daemon.wire import Wire
from tests.faults import trace
from tests.faults.broken import program
from tests.faults.form import IS_LONG, needs_strace
from tests.faults.trace import Verdict

pytestmark = [pytest.mark.faults, needs_strace]

PLEDGES = 40
ROUNDS = 4
RESEND_AFTER_S = 1.0
MAX_SENT = 8
FAULTS = (
    "synchronous_normal",
    *(("answer_before_commit", "window_in_memory") if IS_LONG else ()),
)
"""The last two are seen by others as well."""


def ask_all(wire: Wire, pledges: Sequence[SimulatedPledge]) -> bytes:
    """A request of each, sent again until it has its answer; the last one of them."""
    requests = {bytes((n,)): pledge.request(token=bytes((n,))) for n, pledge in enumerate(pledges)}
    last, waiting = requests[bytes((len(pledges) - 1,))], set(requests)
    for _ in range(MAX_SENT):
        wire.send(*(requests[token] for token in sorted(waiting)))
        with suppress(TimeoutError):
            while waiting:
                waiting.discard(message.decode(wire.hear().payload).token)
        if not waiting:
            return last
    raise AssertionError(f"{len(waiting)} requests were not answered")


def ask_for_copy(wire: Wire, request: bytes) -> None:
    """A request that was answered, sent until its answer comes again."""
    for _ in range(MAX_SENT):
        with suppress(TimeoutError):
            wire.ask(request)
            return
    raise AssertionError("the copy was not answered")


def traced(site: Site, output: Path, fault: str | None = None) -> Verdict:
    """What strace says of a daemon that answers first joins, rejoins, refusals and copies."""
    made = site.new_devices(PLEDGES)
    site.import_devices(made)
    with site.start(program(fault), before=trace.tool(output)) as daemon:
        pledges = [device.pledge() for device in made]
        pledges[0].network_id = b"\xbe\xef"
        with Wire(daemon.address) as wire:
            wire.socket.settimeout(RESEND_AFTER_S)
            asked = [ask_all(wire, pledges) for _ in range(ROUNDS)]
            ask_for_copy(wire, asked[-1])
        daemon.stop()
    with output.open() as lines:
        return trace.judge(trace.read(lines))


def test_b03_every_answer_is_on_disk_before_it_is_sent(site: Site, tmp_path: Path) -> None:
    """RFC 9031 §7.3.1: found in a write to the log whose commit was synced before the send."""
    verdict = traced(site, tmp_path / "trace")
    assert (True, 0) == (verdict.answers > PLEDGES * ROUNDS, verdict.early)


@pytest.mark.parametrize("fault", FAULTS)
def test_the_order_shows_a_daemon_that_is_broken(site: Site, tmp_path: Path, fault: str) -> None:
    """A check that can't fail says nothing."""
    verdict = traced(site, tmp_path / "trace", fault)
    assert verdict.answers >= PLEDGES * ROUNDS
    assert verdict.early >= PLEDGES
