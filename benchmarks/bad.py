"""What strangers can cost: CPU time and memory of datagrams that end in silence."""

from collections.abc import Callable, Collection, Iterator, Sequence

from benchmarks.client import Client, MeasurementError
from benchmarks.daemon import Daemon, Echo
from benchmarks.fleet import Fleet, SimulatedPledge
from benchmarks.joins import per_request_us
from benchmarks.report import Figure
from benchmarks.scale import Scale

TARGET_US = 12.0
GROWTH_TARGET_MB = 2.0
SOCKETS = 16
MB = 1_000_000
_PIECE = 20_000
_UNKNOWN, _REPLAYED, _FORGED = "unknown_context", "replayed", "bad_tag"
_GARBAGE = (
    "malformed_message",
    "token_too_long",
    "not_a_request",
    "unprotected",
    "outer_code",
    "critical_option",
    "observe",
    "wrong_host",
    "wrong_scheme",
    "malformed_oscore",
    "no_partial_iv",
    "no_kid_context",
    "kid_not_empty",
    "unknown_context",
)


def sink_us(datagrams: Sequence[bytes], scale: Scale) -> float:
    """The floor: reading a datagram and doing nothing, the best of the repetitions."""
    with Echo.running(silent=True) as sink:
        client = Client(sink.port)
        floor = min(
            per_request_us(sink, lambda: client.flood(datagrams), len(datagrams))
            for _ in range(scale.repeats)
        )
        client.close()
    return floor


class Strangers:
    """Floods of bad datagrams; each is checked to have ended for the reason that is meant."""

    def __init__(
        self, daemon: Daemon, fleet: Fleet, pledges: Sequence[SimulatedPledge], scale: Scale
    ) -> None:
        self._daemon = daemon
        self._fleet = fleet
        self._pledges = pledges
        self._scale = scale
        self._client = Client(daemon.port, SOCKETS)

    def close(self) -> None:
        """Give the sockets back."""
        self._client.close()

    def uncached(self) -> Figure:
        """Forgeries before anybody has joined: each costs a read of the database."""
        count = self._scale.bad_datagrams
        return self._figure(
            "forged tag, context not in memory",
            lambda: self._fleet.forged(self._pledges, count),
            {_FORGED},
            None,
            None,
        )

    def figures(self, used: Sequence[bytes]) -> Iterator[Figure]:
        """CPU time by kind; ``used`` are requests of joined pledges, not the latest of each."""
        fleet, count = self._fleet, self._scale.bad_datagrams
        floor = sink_us(self._fleet.unknown(self._pledges[0], count), self._scale)
        yield Figure("udp sink", "us", [floor], note="reads and drops")
        kinds: tuple[tuple[str, Callable[[], list[bytes]], Collection[str]], ...] = (
            ("garbage", lambda: fleet.garbage(count), _GARBAGE),
            ("unknown id", lambda: fleet.unknown(self._pledges[0], count), {_UNKNOWN}),
            ("replay", lambda: repeated(used, count), {_REPLAYED}),
            ("forged tag", lambda: fleet.forged(self._pledges, count), {_FORGED}),
        )
        for name, make, reasons in kinds:
            yield self._figure(name, make, reasons, TARGET_US, floor)

    def _figure(
        self,
        name: str,
        make: Callable[[], list[bytes]],
        reasons: Collection[str],
        target: float | None,
        floor: float | None,
    ) -> Figure:
        runs = []
        for _ in range(self._scale.repeats):
            datagrams = make()
            with self._checked(len(datagrams), reasons):
                runs.append(
                    per_request_us(
                        self._daemon,
                        lambda: self._client.flood(datagrams),  # noqa: B023 - called at once
                        len(datagrams),
                    )
                )
        return Figure(name, "us", runs, target, floor)

    def _checked(self, count: int, reasons: Collection[str]) -> "_Checked":
        return _Checked(self._daemon, count, reasons)

    def growth(self, used: Sequence[bytes]) -> Figure:
        """How much memory a long mixed flood leaves behind, against what it was before."""
        self._mixed(_PIECE, used)
        before = self._daemon.resident_bytes()
        total = self._scale.memory_datagrams
        with self._checked(total, {*_GARBAGE, _REPLAYED, _FORGED}):
            for _ in range(0, total, _PIECE):
                self._mixed(_PIECE, used)
            after = self._daemon.resident_bytes()
        return Figure(
            "memory left by bad datagrams",
            "MB",
            [(after - before) / MB],
            GROWTH_TARGET_MB,
            note=f"{total:,} of them, {before / MB:.1f} MB before",
        )

    def _mixed(self, count: int, used: Sequence[bytes]) -> None:
        """A quarter of each kind."""
        each = count // 4
        kinds = (
            self._fleet.garbage(each),
            self._fleet.unknown(self._pledges[0], each),
            repeated(used, each),
            self._fleet.forged(self._pledges, each),
        )
        self._client.flood([datagram for group in zip(*kinds, strict=True) for datagram in group])


class _Checked:
    """Compares the daemon's counts by reason before and after."""

    def __init__(self, daemon: Daemon, count: int, reasons: Collection[str]) -> None:
        self._daemon = daemon
        self._count = count
        self._reasons = reasons

    def __enter__(self) -> None:
        self._before = self._daemon.dropped()

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is not None:
            return
        after = self._daemon.dropped()
        rise = {reason: n - self._before.get(reason, 0) for reason, n in after.items()}
        meant = sum(rise.pop(reason, 0) for reason in self._reasons)
        if meant != self._count or any(rise.values()):
            raise MeasurementError(
                f"{meant} of {self._count} datagrams ended as meant, others: {rise}"
            )


def repeated(datagrams: Sequence[bytes], count: int) -> list[bytes]:
    """``count`` datagrams, each of the given ones as often as it takes."""
    times = -(-count // len(datagrams))
    return (list(datagrams) * times)[:count]
