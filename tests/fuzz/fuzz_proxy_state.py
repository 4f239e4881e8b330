"""Fuzzes the reader of a Join Proxy's state."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_proxy_state")
