"""Fuzzes the reader of the instance file."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_instance_file")
