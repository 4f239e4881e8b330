"""Fuzzes the parser of Configuration objects (RFC 9031 §8.4.2)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_configuration")
