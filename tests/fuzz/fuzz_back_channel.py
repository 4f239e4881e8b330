"""Fuzzes the reader of what devices say of their keys."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_back_channel")
