"""Keys: every byte from the source, which is watched; derived ones as RFC 9031 has them."""

import os
from collections.abc import Callable, Iterator
from inspect import signature
from itertools import cycle

import pytest

from jrc.cojp.algorithms import Aead, Hkdf
from jrc.errors import OperatorError
from jrc.model import PledgeId, Secret
from jrc.provision import identifiers
from jrc.provision.device import Algorithms, Device, derived_keys
from jrc.provision.generate import generate
from jrc.provision.source import KeySource
from tests.cojp.strategies import load
from tests.provision.source import EUI64, OTHER, Counted

VECTOR = load("rfc9031-appendix-b.json")


def ids(count: int) -> list[PledgeId]:
    return [PledgeId(bytes.fromhex("02000000") + number.to_bytes(4)) for number in range(count)]


def psk_of(device: Device) -> bytes:
    assert device.psk is not None
    return device.psk.reveal()


def test_every_byte_of_every_key_comes_from_the_source() -> None:
    """One draw ahead, of which nothing is used, then a draw a key, in the order of the devices."""
    source = Counted()
    made = generate(ids(50), KeySource(source))
    assert [psk_of(device) for device in made] == source.given[1:]
    assert {16} == {len(value) for value in source.given}
    assert 50 == len({psk_of(device) for device in made})


def test_the_default_is_the_source_of_the_operating_system() -> None:
    """getrandom(2), by ``os.urandom``."""
    assert os.urandom is signature(KeySource).parameters["random"].default


def test_keys_for_a_cipher_of_256_bits_have_as_many() -> None:
    """RFC 8613 §3.2: a Master Secret carries no more strength than it has."""
    (made,) = generate([EUI64], KeySource(Counted()), Algorithms(Aead.AES_CCM_16_64_256))
    assert 32 == len(psk_of(made)) == len(made.keys.pledge_sender_key)


def constant(count: int) -> bytes:
    return bytes.fromhex("6d1f9c0a73e84b52a9c7d0e15f3b8264")[:count]


def zeros(count: int) -> bytes:
    return bytes(count)


class Short(Counted):
    """One byte less than it is asked for."""

    def __call__(self, count: int) -> bytes:
        return super().__call__(count - 1)


class Cycle:
    """The same bytes after ``period`` of them."""

    def __init__(self, period: int) -> None:
        self.bytes: Iterator[int] = cycle(Counted()(period))

    def __call__(self, count: int) -> bytes:
        return bytes(next(self.bytes) for _ in range(count))


class Ascending:
    """A counter in the place of chance."""

    def __init__(self) -> None:
        self.at = 0

    def __call__(self, count: int) -> bytes:
        self.at += count
        return bytes(number % 256 for number in range(self.at - count, self.at))


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize(
    "source",
    [
        pytest.param(lambda: constant, id="equal draws"),
        pytest.param(lambda: zeros, id="zeros"),
        pytest.param(Short, id="too few"),
        pytest.param(lambda: Cycle(16), id="period 16"),
        pytest.param(lambda: Cycle(8), id="period 8"),
        pytest.param(lambda: Cycle(24), id="period 24"),
        pytest.param(Ascending, id="counter"),
    ],
)
def test_a_source_that_has_got_stuck_is_refused(
    source: Callable[[], Callable[[int], bytes]], count: int
) -> None:
    """For one device as for several, in one sentence that holds nothing of the key."""
    with pytest.raises(OperatorError) as refused:
        generate(ids(count), KeySource(source()))
    assert refused.value.message.startswith(("the random source gives ", "the random source gave"))
    assert constant(16).hex() not in refused.value.message


def test_a_source_that_gives_too_few_bytes_is_refused() -> None:
    """Nothing is filled up."""
    with pytest.raises(OperatorError, match="gave 15 bytes where 16 were asked for"):
        KeySource(Short())


def test_two_equal_draws_far_apart_are_refused() -> None:
    """No two keys of a run are equal."""
    source = Counted()
    values = [source(16) for _ in range(40)]
    values[39] = values[3]
    with pytest.raises(OperatorError, match="the same bytes again"):
        generate(ids(60), KeySource(lambda _count: values.pop(0)))


def test_a_key_that_chance_made_weak_is_drawn_anew() -> None:
    """Letters alone: an import would refuse it (RFC 9031 §3)."""
    draws = [b"\x01" + bytes(range(100, 115)), b"AKeyOfLettersABC", Counted()(16)]
    expected = draws[2]
    (made,) = generate([EUI64], KeySource(lambda _count: draws.pop(0)))
    assert expected == psk_of(made)


def test_a06_derived_keys_match_rfc_9031_appendix_b() -> None:
    """The vector's PSK derives them, and is itself one that no device gets."""
    psk, identifier = Secret(bytes.fromhex(VECTOR["psk"])), PledgeId.from_hex(VECTOR["pledge_id"])
    keys = derived_keys(identifier, psk)
    assert {name: VECTOR[name] for name in keys._fields} == {
        name: key.reveal().hex() for name, key in keys._asdict().items()
    }
    with pytest.raises(ValueError, match="all its bytes are equal"):
        Device.from_psk(identifier, psk)


@pytest.mark.parametrize("hkdf", list(Hkdf))
def test_derived_devices_have_no_psk_and_the_same_key_check(hkdf: Hkdf) -> None:
    """So that both sides can compare, whichever form each of them has."""
    algorithms = Algorithms(hkdf=hkdf)
    (whole,) = generate([EUI64], KeySource(Counted()), algorithms)
    (derived,) = generate([EUI64], KeySource(Counted()), algorithms, derived=True)
    assert derived.psk is None
    assert (derived.keys, derived.key_check) == (whole.keys, whole.key_check)
    assert whole.without_psk() == derived
    assert whole.key_check != generate([OTHER], KeySource(Counted()))[0].key_check


# identifiers


def test_identifiers_to_come_are_local_individual_and_unique() -> None:
    """IEEE 802: the lowest bits of the first byte; such never meet a manufacturer's."""
    made = identifiers.drawn(KeySource(Counted()), 1000)
    assert 1000 == len({each.value for each in made})
    assert {8} == {len(each.value) for each in made}
    assert {0b10} == {each.value[0] & 0b11 for each in made}


def test_a_prefix_begins_each_of_them() -> None:
    """A manufacturer's own, bit for bit."""
    made = identifiers.drawn(KeySource(Counted()), 20, bytes.fromhex("00124b"))
    assert {bytes.fromhex("00124b")} == {each.value[:3] for each in made}


@pytest.mark.parametrize(
    ("count", "prefix", "said"),
    [
        (1, "0012345678901234", "leaves too few"),
        (2, "00123456789012", "leaves too few"),
        (1, "01124b", "one of groups"),
        (0, "", "no device"),
        (100_001, "", "a run takes"),
    ],
)
def test_what_can_not_be_drawn_is_refused(count: int, prefix: str, said: str) -> None:
    """In one sentence."""
    with pytest.raises(OperatorError, match=said):
        identifiers.drawn(KeySource(Counted()), count, bytes.fromhex(prefix))


def test_a_source_that_gives_one_identifier_again_and_again_ends() -> None:
    """It is refused; nothing waits for ever."""
    with pytest.raises(OperatorError, match="the same identifiers again"):
        identifiers.drawn(KeySource(constant), 2)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["00124b0014b5b67e", "00-12-4b-00-14-b5-b6-7e"], "00124b0014b5b67e is there twice"),
        ([""], "1 to 248 bytes"),
        (["0g"], "it is not hex"),
        (["00" * 249], "1 to 248 bytes"),
        (["480011223344556677"], "a complete CBOR byte string"),
        ([], "no device"),
    ],
)
def test_a08_identifiers_are_held_to_what_an_import_takes(given: list[str], said: str) -> None:
    """RFC 9031 §3: 1 to 248 bytes, each device its own, none like a nonce of App. B.2."""
    with pytest.raises(OperatorError, match=said):
        identifiers.checked(given)
    assert [PledgeId(b"\x01")] == identifiers.checked(["01"])
    assert [PledgeId(b"\x01" * 248)] == identifiers.checked(["01" * 248])
