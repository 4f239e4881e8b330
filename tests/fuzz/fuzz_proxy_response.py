"""Fuzzes the Join Proxy's reader of answers (RFC 8974 §3.3)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_proxy_response")
