"""Sealed files: what was sealed comes out; what was done to a file is refused by name."""

from collections.abc import Iterator

import cbor2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jrc.errors import ExitCode, OperatorError
from jrc.handover import envelope
from jrc.handover.envelope import MAX_SEALED_BYTES, read_inner, read_outer
from jrc.handover.keys import new_key
from jrc.handover.role import Role
from jrc.handover.rows import row_count, unpacked
from jrc.handover.sealing import AHEAD_MS, MAX_LIFE_S, look, new_serial, open_sealed, seal
from jrc.model import Secret
from jrc.service.handovers import SERIAL
from jrc.service.import_rows import Row
from tests.handover.making import NAME, NOW_MS, PSKS, Ends, content, flipped, packing, signed_by


@pytest.fixture(scope="module")
def ends() -> Ends:
    return Ends.new()


@pytest.fixture(scope="module")
def strangers() -> Ends:
    return Ends.new()


def refused(ends: Ends, data: bytes, now_ms: int = NOW_MS) -> OperatorError:
    """Why it is not opened; that it is refused is told from a wrong command."""
    with pytest.raises(OperatorError) as caught:
        ends.open(data, now_ms)
    assert caught.value.exit_code is ExitCode.REFUSED
    assert caught.value.hint
    return caught.value


def test_what_was_sealed_comes_out(ends: Ends) -> None:
    """Cover and rows, each saying that it came by a hand-over."""
    opened = ends.open(ends.sealed)
    assert opened.cover == ends.cover()
    rows = [entry.fields for entry in unpacked(opened.content) if isinstance(entry, Row)]
    assert [row["psk"] for row in rows] == list(PSKS)
    assert {row["provenance"] for row in rows} == {"handover"}


def test_no_key_is_in_a_sealed_file_nor_in_what_it_is_opened_to(ends: Ends) -> None:
    """Nor is what an opened file is, printed."""
    for psk in PSKS:
        assert bytes.fromhex(psk) not in ends.sealed
        assert psk.encode() not in ends.sealed
        assert psk not in repr(ends.open(ends.sealed))
    assert "redacted" in repr(ends.open(ends.sealed))


def test_each_single_bit_of_a_sealed_file_counts(ends: Ends) -> None:
    """RFC 9052 §4.4: whatever bit of it was changed, the file is refused."""
    for bit in range(8 * len(ends.sealed)):
        refused(ends, flipped(ends.sealed, bit))


def test_each_byte_below_the_signature_counts(ends: Ends) -> None:
    """RFC 9052 §5.3: also where the builder has signed what was changed, a bit of each byte.

    Both layers say whose they are, and what the cover says is what the AEAD authenticates.
    """
    payload = read_outer(ends.sealed, NAME).payload
    for byte in range(len(payload)):
        refused(ends, signed_by(ends.builder, flipped(payload, 8 * byte + byte % 8)))


def test_a_file_that_was_cut_anywhere_is_refused(ends: Ends) -> None:
    """It says that its end is missing, from the first byte on."""
    assert "is not a sealed file" in refused(ends, b"").message
    for size in range(1, len(ends.sealed)):
        assert "is cut short" in refused(ends, ends.sealed[:size]).message, size


def test_a_file_that_goes_on_is_refused(ends: Ends) -> None:
    """Nothing is hidden behind its end."""
    assert "goes on behind its end" in refused(ends, ends.sealed + b"\x00").message


@pytest.mark.parametrize("other", [b"pledge_id,psk\n", b"-----BEGIN", b"\xd8\x60\x84", bytes(600)])
def test_other_files_are_no_sealed_files(ends: Ends, other: bytes) -> None:
    """Named by name."""
    assert f"{NAME} is not a sealed file" in refused(ends, other).message


def test_a_longer_form_of_the_same_lengths_is_refused(ends: Ends) -> None:
    """There is one way alone to write a file, so that none has two names (RFC 8949 §4.2.1)."""
    outer = read_outer(ends.sealed, NAME)
    head = b"\x59" + len(outer.payload).to_bytes(2, "big")
    longer = b"\x5a" + len(outer.payload).to_bytes(4, "big")
    assert ends.sealed.count(head) == 1
    assert "is not a sealed file" in refused(ends, ends.sealed.replace(head, longer)).message


def test_a_file_changed_on_its_way_is_named_so(ends: Ends) -> None:
    """The signature does not fit."""
    middle = flipped(ends.sealed, 8 * 250)
    assert "was changed after it was signed" in refused(ends, middle).message


def test_a_file_of_another_builder_is_named_with_both_fingerprints(
    ends: Ends, strangers: Ends
) -> None:
    """Whoever is asked can compare them."""
    stranger = Ends(strangers.builder, ends.registrar)
    told = refused(ends, stranger.sealed).message
    assert strangers.builder.public.fingerprint in told
    assert ends.builder.public.fingerprint in told


def test_a_file_for_another_registrar_is_named_with_both_fingerprints(
    ends: Ends, strangers: Ends
) -> None:
    """The one that it is for, and ours."""
    told = refused(ends, Ends(ends.builder, strangers.registrar).sealed).message
    assert strangers.registrar.public.fingerprint in told
    assert ends.registrar.public.fingerprint in told


def test_a_builder_can_not_sign_what_another_has_sealed(ends: Ends, strangers: Ends) -> None:
    """The signature taken off and replaced: the inner layer says who sealed it."""
    mallory = strangers.builder
    stolen = signed_by(mallory, read_outer(ends.sealed, NAME).payload)
    both = [ends.builder.public, mallory.public]
    with pytest.raises(OperatorError, match="somebody has signed what is not theirs"):
        open_sealed(stolen, NAME, builders=both, registrar=ends.registrar, now_ms=NOW_MS)


def test_a_builder_can_not_say_that_another_has_signed(ends: Ends, strangers: Ends) -> None:
    """The name of a key is not the key."""
    payload = read_outer(ends.sealed, NAME).payload
    stolen = signed_by(strangers.builder, payload, ends.builder.public.key_id)
    assert "was changed after it was signed" in refused(ends, stolen).message


def test_a_registrar_can_not_pass_a_file_on_to_another(ends: Ends, strangers: Ends) -> None:
    """What it has opened and sealed anew has not the builder's signature."""
    cover = ends.cover()._replace(registrar=strangers.registrar.public.key_id)
    anew = strangers.sealed_as(cover, ends.open(ends.sealed).content)
    with pytest.raises(OperatorError) as caught:
        Ends(ends.builder, strangers.registrar).open(anew)
    assert "was changed after it was signed" in caught.value.message


@pytest.mark.parametrize(
    "change",
    [
        {"serial": "batch-8"},
        {"rows": 1},
        {"expires_at_s": NOW_MS // 1000 + 9_999},
        {"made_at_s": NOW_MS // 1000 - 1},
    ],
)
def test_what_the_cover_says_is_authenticated_with_the_keys(
    ends: Ends, change: dict[str, object]
) -> None:
    """RFC 9052 §5.3: the builder can't put another cover round the same ciphertext."""
    outer = read_outer(ends.sealed, NAME)
    inner = read_inner(outer, NAME)
    cover = inner.cover._replace(**change)  # type: ignore[arg-type]
    payload = envelope.payload_of(inner._replace(cover=cover))
    told = refused(ends, signed_by(ends.builder, payload)).message
    assert "does not open with this key" in told


def test_a_file_is_opened_until_it_expires(ends: Ends) -> None:
    """And not in the millisecond after."""
    end_ms = ends.cover().expires_at_s * 1000
    ends.open(ends.sealed, end_ms - 1)
    told = refused(ends, ends.sealed, end_ms)
    assert "expired at 2026-09-21T15:13:20.000Z; now is 2026-09-21T15:13:20.000Z" in told.message


def test_a_file_from_the_future_is_refused(ends: Ends) -> None:
    """Ten minutes are two clocks; a host that starts in 1970 opens nothing (docs/clock.md)."""
    ends.open(ends.sealed, NOW_MS - AHEAD_MS)
    assert "which is still to come" in refused(ends, ends.sealed, NOW_MS - AHEAD_MS - 1).message
    assert "which is still to come" in refused(ends, ends.sealed, 0).message


def test_a_file_that_is_too_long_is_refused_before_it_is_read(ends: Ends) -> None:
    """Nothing is decoded of it."""
    assert "longer than" in refused(ends, ends.sealed + bytes(MAX_SEALED_BYTES)).message


@pytest.mark.parametrize("of", [content().reveal()[1:], b"", b"\xa0", b"\x83" + b"\xa0" * 3])
def test_a_content_of_other_rows_than_announced_is_refused(ends: Ends, of: bytes) -> None:
    """Who sealed it was no jrc."""
    sealed = ends.sealed_as(ends.cover(), Secret(of))
    assert "does not hold the 2 rows" in refused(ends, sealed).message


@pytest.mark.parametrize(
    "change",
    [
        {"serial": ""},
        {"serial": "a b"},
        {"serial": "x" * 65},
        {"rows": 0},
        {"expires_at_s": NOW_MS // 1000},
        {"expires_at_s": 1 << 60},
    ],
)
def test_a_cover_that_makes_no_sense_is_another_form(ends: Ends, change: dict[str, object]) -> None:
    """Whoever wrote it, it is not what `jrc handover seal` writes."""
    sealed = ends.sealed_as(ends.cover()._replace(**change))  # type: ignore[arg-type]
    assert "of another form than this jrc knows" in refused(ends, sealed).message


def _headers(payload: bytes) -> Iterator[tuple[str, bytes]]:
    """The COSE_Encrypt with other headers, algorithms and recipients than it has to have."""
    protected, unprotected, ciphertext, recipients = cbor2.loads(payload[2:])
    known = cbor2.loads(protected)
    ((of_recipient, ephemeral, empty),) = recipients

    def written(*parts: object) -> bytes:
        return payload[:2] + cbor2.dumps(list(parts))

    def protected_as(headers: object) -> bytes:
        return written(cbor2.dumps(headers), unprotected, ciphertext, recipients)

    yield "another AEAD", protected_as(known | {1: 1})
    yield "one that is unknown", protected_as(known | {99: 0})
    yield "one more that is critical", protected_as(known | {2: [15, 99], 99: 0})
    yield "nothing that is critical", protected_as({k: v for k, v in known.items() if k != 2})
    yield "another type of content", protected_as(known | {3: "text/plain"})
    yield "one more claim", protected_as(known | {15: known[15] | {5: 0}})
    yield "one that is not protected", written(protected, {4: b"x"}, ciphertext, recipients)
    yield "two recipients", written(protected, {}, ciphertext, recipients * 2)
    yield "no recipient", written(protected, {}, ciphertext, [])
    direct = cbor2.dumps(cbor2.loads(of_recipient) | {1: -6})
    yield "no key agreement", written(protected, {}, ciphertext, [[direct, ephemeral, empty]])
    other = {-1: ephemeral[-1] | {-1: 2}}
    yield "another curve", written(protected, {}, ciphertext, [[of_recipient, other, empty]])
    odd = {-1: {**ephemeral[-1], -3: bytes(32)}}
    yield "no point", written(protected, {}, ciphertext, [[of_recipient, odd, empty]])
    yield "a COSE_Encrypt0", b"\xd0" + payload[2:]


def test_headers_and_algorithms_are_nobodys_choice(ends: Ends) -> None:
    """RFC 9052 §3.1: `crit` too. The builder has signed each, and none is opened."""
    payload = read_outer(ends.sealed, NAME).payload
    assert ends.open(signed_by(ends.builder, payload)).cover == ends.cover()
    tried = dict(_headers(payload))
    assert len(tried) == 13
    for what, changed in tried.items():
        told = refused(ends, signed_by(ends.builder, changed)).message
        expected = "does not open" if what == "no point" else "of another form"
        assert expected in told, (what, told)


def test_a_look_needs_no_key_and_says_whether_it_is_verified(ends: Ends, strangers: Ends) -> None:
    """Without a builder's key anybody may have written the cover."""
    assert look(ends.sealed, NAME) == (ends.cover(), False)
    assert look(ends.sealed, NAME, [ends.builder.public]) == (ends.cover(), True)
    with pytest.raises(OperatorError, match="says that it is signed by"):
        look(ends.sealed, NAME, [strangers.builder.public])
    with pytest.raises(OperatorError, match="was changed after it was signed"):
        look(flipped(ends.sealed, 8 * 250), NAME, [ends.builder.public])


def test_a_file_may_come_from_one_of_several_builders(ends: Ends, strangers: Ends) -> None:
    """--from is given once for each."""
    both = [strangers.builder.public, ends.builder.public]
    own = ends.registrar
    opened = open_sealed(ends.sealed, NAME, builders=both, registrar=own, now_ms=NOW_MS)
    assert opened.cover.builder == ends.builder.public.key_id


def test_two_files_of_the_same_devices_have_nothing_in_common(ends: Ends) -> None:
    """Ephemeral keys and IVs are fresh (RFC 9053 §6.3)."""
    twice = [ends.sealed_as(ends.cover()) for _ in range(2)]
    first, second = (read_inner(read_outer(each, NAME), NAME) for each in twice)
    assert first.cover == second.cover
    assert first.iv != second.iv
    assert first.ephemeral_key != second.ephemeral_key
    assert first.ciphertext[:16] != second.ciphertext[:16]


def test_serials_are_drawn_at_random() -> None:
    """128 bits, so that a builder need not remember them."""
    assert len({new_serial() for _ in range(100)}) == 100
    assert len(new_serial()) == 32


_PSK = st.binary(min_size=16, max_size=16).filter(lambda key: len(set(key)) > 12)
_DEVICES = st.dictionaries(st.binary(min_size=8, max_size=8), _PSK, min_size=1, max_size=20).filter(
    lambda found: len(set(found.values())) == len(found)
)


@settings(max_examples=30, deadline=None)
@given(devices=_DEVICES, serial=st.from_regex(SERIAL.pattern, fullmatch=True))
def test_whatever_is_sealed_comes_out(devices: dict[bytes, bytes], serial: str) -> None:
    """Each device with its key, in order."""
    ends = _ENDS
    packed = packing([f"{name.hex()},{psk.hex()}" for name, psk in devices.items()])
    if packed.fault_count:
        return  # a key that an import refuses, too
    sealed = seal(
        packed.content(), ends.cover(packed.rows, serial), ends.builder, ends.registrar.public
    )
    opened = ends.open(sealed)
    assert row_count(opened.content) == len(devices) == opened.cover.rows
    rows = [entry.fields for entry in unpacked(opened.content) if isinstance(entry, Row)]
    assert {row["pledge_id"]: row["psk"] for row in rows} == {
        name.hex(): psk.hex() for name, psk in devices.items()
    }
    assert opened.cover.serial == serial


_ENDS = Ends.new()


def test_keys_of_the_wrong_kind_are_told_apart() -> None:
    """By their curves."""
    assert new_key(Role.BUILDER).public.role is Role.BUILDER
    assert new_key(Role.REGISTRAR).public.role is Role.REGISTRAR


def test_a_file_that_lives_longer_than_any_may_is_refused(ends: Ends) -> None:
    """Whatever has sealed it: a file that never expires is one to be stolen."""
    ends.open(ends.sealed_as(ends.cover(life_s=MAX_LIFE_S)))
    told = refused(ends, ends.sealed_as(ends.cover(life_s=MAX_LIFE_S + 1)))
    assert "may be opened for more than 366 days" in told.message
