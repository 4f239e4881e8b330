"""Fuzzes the reader of JSON bodies of the admin API."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_admin_body")
