"""Fuzzes the reader of lists of pledge identifiers."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_identifier_list")
