"""Fuzzes the reader of RFC 8613 App. B.2 kid contexts."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_recovery")
