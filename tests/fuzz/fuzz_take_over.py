"""Fuzzes the reader of the keys of a running network (`--keys-file`)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_take_over")
