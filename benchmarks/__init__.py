"""Figures of speed and memory: ``python -m benchmarks`` (``docs/performance.md``)."""
