"""Fuzzes the Join Proxy's reader of Join Requests (RFC 9031 §7.1)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_proxy_request")
