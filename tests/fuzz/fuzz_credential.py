"""Fuzzes the reader of devices' public credentials."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_credential")
