"""What metrics are called, and how their text is made."""

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from jrc.admin.histogram import Histogram
from jrc.admin.metric_families import SAMPLES_A_PIECE, Family, Kind, gauge, histogram, pieces_of
from jrc.admin.metric_list import FAMILIES, GROUPS

MANY = 2 * SAMPLES_A_PIECE + 1


class Wide:
    """As a collector of a metric with many samples, of one with none, and of a histogram."""

    def collect(self) -> list[object]:
        counted = Histogram((1, 2))
        counted.observe(2)
        return [
            gauge("wide", "Many.", "at").samples(([str(at)], at) for at in range(MANY)),
            gauge("empty", "None.", "at").samples([]),
            histogram("sizes", "Sizes.").histogram(counted),
        ]


def test_pieces_are_short_and_together_all_of_it() -> None:
    """The head of a metric stands once, before the first of its samples."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Wide())  # type: ignore[arg-type]
    pieces = list(pieces_of(registry))
    assert generate_latest(registry) == b"".join(pieces)
    assert [SAMPLES_A_PIECE + 2, SAMPLES_A_PIECE, 1] == [p.count(b"\n") for p in pieces[:3]]
    assert 5 == len(pieces)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_name_says_what_prometheus_wants_of_it(family: Family) -> None:
    """Counters end in ``_total``, and what is measured has its unit in its name."""
    assert family.name.startswith("jrc_")
    assert (family.kind is Kind.COUNTER) == family.name.endswith("_total")
    bare = family.name.removesuffix("_total")
    for unit in ("seconds", "bytes"):
        assert (family.unit.split(" ")[0] == unit) == (f"_{unit}" in bare), family.unit
    assert family.unit
    assert family.help[-1] == "."
    assert len(set(family.labels)) == len(family.labels)


def test_no_name_is_there_twice() -> None:
    """Two families of one name would be one series with two meanings."""
    assert len(FAMILIES) == sum(map(len, GROUPS.values()))
