"""Fuzzes the Join Proxy's sealed tokens (RFC 8974 §3.1)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_proxy_token")
