"""What a Join Proxy's tokens carry, and which of them it refuses (RFC 9031 §7.1, RFC 8974 §3.1)."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc.coap.token import (
    FRESHNESS_MS,
    KEY_LIFETIME_MS,
    LINK_LOCAL_PREFIX,
    MAX_STATE_BYTES,
    Origin,
    TokenSealer,
)
from jrc.errors import PeerError, Reason

GLOBAL = bytes.fromhex("20010db8000000000000000000000001")
LINK_LOCAL = bytes.fromhex("fe80000000000000021b4b0014b5b67e")
PLEDGE = Origin(LINK_LOCAL, 5683, 7, 0, 0xBEEF, b"\x01")


def keys() -> Iterator[int]:
    yield from range(1, 256)


def sealer(now_ms: int = 0, replay_slots: int = 64) -> TokenSealer:
    numbers = keys()
    return TokenSealer(
        lambda size: bytes([next(numbers)]) * size, now_ms, replay_slots=replay_slots
    )


def refusal(sealer: TokenSealer, token: bytes, now_ms: int) -> Reason:
    with pytest.raises(PeerError) as error:
        sealer.open(token, now_ms)
    assert error.value.answer is None
    return error.value.reason


addresses = st.one_of(
    st.binary(min_size=16, max_size=16),
    st.binary(min_size=8, max_size=8).map(LINK_LOCAL_PREFIX.__add__),
)


@given(
    address=addresses,
    port=st.integers(0, 0xFFFF),
    scope_id=st.integers(0, 2**32 - 1),
    message_type=st.integers(0, 1),
    message_id=st.integers(0, 0xFFFF),
    token=st.binary(max_size=300),
    asked=st.just(b"") | st.binary(min_size=16, max_size=16),
)
def test_p01_a_sealed_origin_comes_back_whole(
    address: bytes,
    port: int,
    scope_id: int,
    message_type: int,
    message_id: int,
    token: bytes,
    asked: bytes,
) -> None:
    """Addresses, port, interface, token, message id and type are in the token (RFC 9031 §7.1)."""
    if not address.startswith(LINK_LOCAL_PREFIX):
        scope_id = 0
    origin = Origin(address, port, scope_id, message_type, message_id, token, asked)
    proxy = sealer()
    sealed = proxy.seal(origin, 1)
    assert proxy.open(sealed, 2) == origin
    assert len(sealed) <= len(token) + MAX_STATE_BYTES


def test_p01_a_token_hides_who_asked() -> None:
    """Nothing of the state is readable on the way (RFC 8974 §3.1)."""
    token = sealer().seal(PLEDGE._replace(token=b"a-token-of-a-pledge"), 0)
    assert b"a-token" not in token
    assert LINK_LOCAL[8:] not in token


def test_p01_two_tokens_of_one_origin_differ() -> None:
    """No nonce is used twice under a key (RFC 8974 §5.2)."""
    proxy = sealer()
    assert proxy.seal(PLEDGE, 0)[4:] != proxy.seal(PLEDGE, 0)[4:]


def test_p01_a_token_cut_at_any_byte_is_forged() -> None:
    """Integrity is checked before anything of the state is used (RFC 8974 §3.1)."""
    proxy = sealer()
    token = proxy.seal(PLEDGE, 0)
    assert {refusal(proxy, token[:size], 0) for size in range(len(token))} == {Reason.TOKEN_FORGED}
    assert proxy.open(token, 0) == PLEDGE


def test_p01_a_token_with_any_bit_flipped_is_forged() -> None:
    """A forged token is dropped, and leaves the true one good (RFC 8974 §3.1)."""
    proxy = sealer()
    token = proxy.seal(PLEDGE, 0)
    flipped = [
        bytes(byte ^ (1 << bit if at == index else 0) for at, byte in enumerate(token))
        for index in range(len(token))
        for bit in range(8)
    ]
    assert {refusal(proxy, candidate, 0) for candidate in flipped} == {Reason.TOKEN_FORGED}
    assert proxy.open(token, 0) == PLEDGE


@given(st.binary(max_size=80))
def test_p01_any_other_bytes_are_forged(token: bytes) -> None:
    """Opening is total: any bytes give an origin or a refusal (RFC 8974 §5.2)."""
    assert refusal(sealer(), token, 0) is Reason.TOKEN_FORGED


def test_p01_a_token_of_another_proxy_is_forged() -> None:
    """Tokens do not outlive the process that drew the key (RFC 8974 §3.1)."""
    other = TokenSealer(lambda size: b"\xaa" * size, 0)
    assert refusal(sealer(), other.seal(PLEDGE, 0), 0) is Reason.TOKEN_FORGED


def test_p01_a_token_is_good_once() -> None:
    """A replayed token is dropped (RFC 8974 §3.1)."""
    proxy = sealer()
    token = proxy.seal(PLEDGE, 0)
    proxy.open(token, 0)
    assert refusal(proxy, token, 0) is Reason.TOKEN_REPLAYED


def test_p01_a_token_that_was_only_looked_at_is_still_good_once() -> None:
    """Looking tells the origin, refuses what was sealed elsewhere, and uses nothing up."""
    proxy = sealer()
    token = proxy.seal(PLEDGE, 0)
    assert [PLEDGE, PLEDGE] == [proxy.peek(token), proxy.peek(token)]
    with pytest.raises(PeerError, match=Reason.TOKEN_FORGED.value):
        proxy.peek(bytes((*token[:-1], token[-1] ^ 1)))
    assert proxy.open(token, 0) == PLEDGE
    assert refusal(proxy, token, 0) is Reason.TOKEN_REPLAYED


def test_p01_answers_may_come_in_any_order() -> None:
    """Each open request has its own place in the replay window (RFC 8974 §5.2)."""
    proxy = sealer(replay_slots=64)
    tokens = [proxy.seal(PLEDGE._replace(message_id=n), 0) for n in range(64)]
    opened = [proxy.open(token, 0).message_id for token in reversed(tokens)]
    assert opened == list(reversed(range(64)))
    assert {refusal(proxy, token, 0) for token in tokens} == {Reason.TOKEN_REPLAYED}


def test_p01_a_token_behind_the_window_counts_as_used() -> None:
    """The filter is bounded: what it has forgotten is not accepted (RFC 8974 §5.2)."""
    proxy = sealer(replay_slots=64)
    first = proxy.seal(PLEDGE, 0)
    *_, last = [proxy.seal(PLEDGE, 0) for _ in range(63)]
    assert proxy.open(first, 0) == PLEDGE
    proxy.seal(PLEDGE, 0)
    assert refusal(proxy, first, 0) is Reason.TOKEN_REPLAYED
    assert proxy.open(last, 0) == PLEDGE


def test_p01_a_place_in_the_window_is_free_again_for_a_later_token() -> None:
    """Used up places come round; no new request meets the mark of an old one (RFC 8974 §5.2)."""
    proxy = sealer(replay_slots=64)
    for _ in range(3 * 64):
        assert proxy.open(proxy.seal(PLEDGE, 0), 0) == PLEDGE


@pytest.mark.parametrize(("age_ms", "good"), [(FRESHNESS_MS, True), (FRESHNESS_MS + 1, False)])
def test_p01_a_stale_token_is_dropped(age_ms: int, good: bool) -> None:
    """No pledge waits longer than 465 s for an answer (RFC 8974 §3.1, RFC 9031 §7.2)."""
    proxy = sealer(now_ms=5_000)
    token = proxy.seal(PLEDGE, 9_000)
    if good:
        assert proxy.open(token, 9_000 + age_ms) == PLEDGE
    else:
        assert refusal(proxy, token, 9_000 + age_ms) is Reason.TOKEN_STALE


def test_p01_a_renewed_key_opens_tokens_of_the_last_one() -> None:
    """Two keys live, so that no answer is lost at a renewal (RFC 8974 §3.1)."""
    proxy = sealer()
    old = proxy.seal(PLEDGE, KEY_LIFETIME_MS - 1)
    new = proxy.seal(PLEDGE, KEY_LIFETIME_MS)
    assert old[0] != new[0]
    assert proxy.open(old, KEY_LIFETIME_MS) == PLEDGE
    assert proxy.open(new, KEY_LIFETIME_MS) == PLEDGE
    assert refusal(proxy, old, KEY_LIFETIME_MS) is Reason.TOKEN_REPLAYED


def test_p01_a_key_before_the_last_opens_nothing() -> None:
    """Only two keys are ever kept (RFC 8974 §3.1)."""
    proxy = sealer()
    token = proxy.seal(PLEDGE, 0)
    proxy.seal(PLEDGE, KEY_LIFETIME_MS)
    proxy.seal(PLEDGE, 2 * KEY_LIFETIME_MS)
    assert refusal(proxy, token, 1) is Reason.TOKEN_FORGED


def test_p01_a_key_is_renewed_before_it_has_sealed_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A 64-bit tag bounds what one key may protect (RFC 8974 §5.2)."""
    monkeypatch.setattr("jrc.coap.token.MAX_TOKENS_PER_KEY", 3)
    proxy = sealer()
    assert [proxy.seal(PLEDGE, 0)[0] for _ in range(7)] == [0, 0, 0, 1, 1, 1, 2]


@pytest.mark.parametrize("options", [{"freshness_ms": 0}, {"freshness_ms": KEY_LIFETIME_MS + 1},
                                     {"replay_slots": 0}, {"replay_slots": 9}])  # fmt: skip
def test_p01_a_sealer_that_could_not_hold_its_promise_is_refused(options: dict[str, int]) -> None:
    """Two keys cover the time a token is fresh, and the filter has whole bytes (RFC 8974 §3.1)."""
    with pytest.raises(ValueError, match=r"fresh|slots"):
        TokenSealer(bytes, 0, **options)
