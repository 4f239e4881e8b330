"""Fuzzes the reader of devices' consoles."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_console")
