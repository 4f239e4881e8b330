"""Where a join's time goes in the core: single functions, in this process."""

import time
from collections.abc import Callable, Iterator

from benchmarks.fleet import Fleet
from benchmarks.report import Figure
from jrc.cojp import envelope, message, oscore
from jrc.cojp.codec import decode_join_request
from jrc.cojp.constants import ENDPOINT_MAX_TOKEN_BYTES, CoapCode

_ROUNDS = 5
_CALLS = 5_000


def core_figures() -> Iterator[Figure]:
    """CPU time of the functions that every join goes through."""
    fleet = Fleet(1)
    (pledge,) = fleet.pledges()
    (request,) = fleet.requests([pledge])
    registrar = pledge.security.mirrored()
    opened = envelope.open_request(request, ENDPOINT_MAX_TOKEN_BYTES)
    piv, ciphertext = opened.partial_iv, opened.ciphertext
    plaintext = oscore.unprotect_request(registrar, piv, b"", ciphertext)
    payload = message.decode_inner(plaintext).payload
    answer = message.encode_inner(CoapCode.CHANGED, (), bytes(40))
    calls: dict[str, Callable[[], object]] = {
        "open_request": lambda: envelope.open_request(request, ENDPOINT_MAX_TOKEN_BYTES),
        "unprotect_request": lambda: oscore.unprotect_request(registrar, piv, b"", ciphertext),
        "decode_inner": lambda: message.decode_inner(plaintext),
        "decode_join_request": lambda: decode_join_request(payload),
        "digest": lambda: envelope.digest(opened),
        "protect_response": lambda: oscore.protect_response(registrar, b"", piv, answer),
        "close_response": lambda: envelope.close_response(opened, 1, b"", answer),
    }
    for name, call in calls.items():
        yield Figure(f"core: {name}", "us", [_call_us(call) for _ in range(_ROUNDS)])


def _call_us(call: Callable[[], object]) -> float:
    started_ns = time.process_time_ns()
    for _ in range(_CALLS):
        call()
    return (time.process_time_ns() - started_ns) / _CALLS / 1000
