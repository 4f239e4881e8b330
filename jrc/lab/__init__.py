"""Simulated pledges, nodes and networks, for demonstrations, checks and benchmarks."""
