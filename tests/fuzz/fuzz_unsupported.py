"""Fuzzes the parser of Unsupported_Configuration objects (RFC 9031 §8.4.5)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_unsupported")
