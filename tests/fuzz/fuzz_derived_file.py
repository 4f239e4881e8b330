"""Fuzzes the reader of files with derived keys (RFC 9031 App. B)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_derived_file")
