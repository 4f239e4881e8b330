"""How much of everything: the full form, and a short one for a look in between."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scale:
    """Numbers of pledges, datagrams and repetitions.

    ``first_joins`` and ``rejoins`` are requests a repetition by how many of them are in flight.
    """

    repeats: int
    pledges: int
    first_joins: dict[int, int]
    rejoins: dict[int, int]
    bad_datagrams: int
    memory_datagrams: int
    many_pledges: int
    many_joins: int
    import_rows: int
    starts: int
    rollover_nodes: int
    rollover_joins: int
    events: int
    recovering: int


FULL = Scale(
    repeats=3,
    pledges=10_000,
    first_joins={64: 2_800, 8: 400, 1: 130},
    rejoins={64: 10_000, 8: 2_000, 1: 500},
    bad_datagrams=20_000,
    memory_datagrams=1_000_000,
    many_pledges=100_000,
    many_joins=20_000,
    import_rows=1_000_000,
    starts=5,
    rollover_nodes=10_000,
    rollover_joins=5_000,
    events=100_000,
    recovering=9_600,
)
QUICK = Scale(
    repeats=2,
    pledges=10_000,
    first_joins={64: 2_800, 8: 200, 1: 50},
    rejoins={64: 5_000, 8: 500, 1: 100},
    bad_datagrams=5_000,
    memory_datagrams=100_000,
    many_pledges=20_000,
    many_joins=4_000,
    import_rows=50_000,
    starts=2,
    rollover_nodes=3_000,
    rollover_joins=1_500,
    events=20_000,
    recovering=2_400,
)
