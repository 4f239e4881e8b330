"""Fuzzes the reader of key files."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_key_file")
