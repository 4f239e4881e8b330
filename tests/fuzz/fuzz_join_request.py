"""Fuzzes the parser of Join_Request objects (RFC 9031 §8.4.1)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_join_request")
