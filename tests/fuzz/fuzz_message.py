"""Fuzzes the parser of CoAP datagrams (RFC 7252 §3, RFC 8974 §2.1)."""

from tests.fuzz.engine import run

if __name__ == "__main__":
    run("fuzz_message")
