"""What Prometheus reads of one collector."""

from prometheus_client import CollectorRegistry
from prometheus_client.registry import Collector

from jrc.admin.metric_families import pieces_of


def samples_of(collector: Collector) -> dict[str, float]:
    """The samples, by name and labels as they are written."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    lines = b"".join(pieces_of(registry)).decode().splitlines()
    found = (line.rsplit(" ", 1) for line in lines if line[:1] != "#")
    return {name: float(value) for name, value in found}
