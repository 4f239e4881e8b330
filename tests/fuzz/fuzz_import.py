"""Fuzzes the reader of import files: CSV, a JSON array, JSON lines, CBOR, mapped names."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_import")
