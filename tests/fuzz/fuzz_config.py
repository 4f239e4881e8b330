"""Fuzzes the reader of the config file."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_config")
