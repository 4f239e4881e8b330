"""Fuzzes the parser of OSCORE plaintexts (RFC 8613 §5.3)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_inner")
