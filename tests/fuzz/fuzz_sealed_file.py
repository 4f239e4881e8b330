"""Fuzzes the reader of sealed files: what comes before the signature is looked at, and after it."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_sealed_file")
