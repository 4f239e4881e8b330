"""Fuzzes what is taken for the answer to a Parameter Update (RFC 9031 §8.2, RFC 8613 §8.4)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_update_answer")
