"""Fuzzes the parser of OSCORE option values (RFC 8613 §6.1)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_option")
