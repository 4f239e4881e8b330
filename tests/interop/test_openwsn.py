"""What real OpenWSN firmware sent is answered as it was when it joined."""

import re
from collections.abc import Callable, Iterator
from ipaddress import IPv6Network
from pathlib import Path

import pytest

from jrc.cojp import codec, message, oscore
from jrc.cojp.objects import JoinRequest
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.errors import Reason
from jrc.model import PledgeId, Profile, Secret
from jrc.policy.profiles import TRAITS
from jrc.service.applicants import Applicant
from jrc.service.enroll import add_pledge
from jrc.service.networks import AddNetwork, add_network
from tests.desk import ACTOR, Desk
from tests.interop.captures import (
    CAPTURES,
    JOINED,
    H,
    Mote,
    form_of,
    good_forms,
    joined_on,
    key_of,
    motes,
    on_the_link,
    plaintext_of,
)
from tests.joining import Hall, hall_at

RESTART_AFTER_MS = 600_000
"""Longer than an answer is kept for copies."""
LAB = AddNetwork(
    name="lab",
    identifiers=(b"\xca\xfe",),
    prefix=IPv6Network("bbbb::/64"),
    profile=Profile.OPENWSN,
)


@pytest.fixture
def hall_of(tmp_path: Path) -> Iterator[Callable[[Mote], Hall]]:
    """Makes a registrar with a database of its own that knows one mote."""
    desk = Desk(tmp_path)

    def enroll(mote: Mote) -> Hall:
        who = Applicant(
            identifier=PledgeId(mote.identifier), keys=Secret(mote.psk), allow_weak=True
        )
        desk.write(lambda tx: add_network(tx, LAB, actor=ACTOR))
        desk.write(lambda tx: add_pledge(tx, who, actor=ACTOR))
        hall.contexts.learn([mote.identifier])
        return hall

    with hall_at(desk) as hall:
        yield enroll
    desk.close()


def mote_of(capture_id: str) -> Mote:
    """The mote that sent a capture."""
    (found,) = [mote for mote in motes() if any(c["id"] == capture_id for c in mote.captures)]
    return found


def test_there_are_38_requests_of_24_motes() -> None:
    """None of the captures is left out of what follows."""
    sent = [capture["id"] for mote in motes() for capture in mote.captures]
    assert sorted(sent) == sorted(capture["id"] for capture in CAPTURES)
    assert (38, 24) == (len(sent), len(motes()))
    numbers = [[capture["sender_seq"] for capture in mote.captures] for mote in motes()]
    assert all(ascending == sorted(ascending) for ascending in numbers)


@pytest.mark.parametrize("mote", motes(), ids=lambda mote: mote.name)
def test_c02_b05_each_request_of_real_firmware_gets_an_answer_of_a_form_it_joins_on(
    hall_of: Callable[[Mote], Hall], mote: Mote
) -> None:
    """RFC 9031 §8.1: type, OSCORE option, option 40, and the plaintext but for the key itself."""
    hall, good = hall_of(mote), good_forms()
    for capture in mote.captures:
        answer = hall.ask(H(capture["request"]))
        assert answer is not None, (capture["id"], hall.metrics.drops)
        assert form_of(capture, answer) in good, capture["id"]
        assert on_the_link(capture, answer) <= (TRAITS[Profile.OPENWSN].max_answer_bytes or 0)
    assert [("lab", None)] * len(mote.captures) == hall.metrics.answers


def test_b01_a_mote_gets_the_key_of_the_network(hall_of: Callable[[Mote], Hall]) -> None:
    """The key that the zeros of a form stand for is the same for each of its requests."""
    mote = mote_of("F2")
    hall, keys = hall_of(mote), set()
    for capture in mote.captures:
        answer = hall.ask(H(capture["request"]))
        assert answer is not None
        keys.add(key_of(plaintext_of(capture, message.decode(answer).payload)))
    assert len(keys) == 1
    assert None not in keys


@pytest.mark.parametrize("capture", joined_on(), ids=lambda capture: capture["id"])
def test_run_results_say_that_motes_joined_on_these_answers(capture: dict[str, str]) -> None:
    """The table of good answers is what ``run_result`` says, read again in another way."""
    result = capture["run_result"]
    if capture["run"] == "F":
        assert result.startswith("2 (direct) joined, 3 (proxied) never")
        return
    which = JOINED[capture["run"]]
    expected = r"joined: " if which == 1 else rf"joined on {which}(nd|rd)\b"
    assert re.search(expected, result)


def test_answers_that_real_firmware_rejected_have_other_forms() -> None:
    """A form tells them apart: label 3, two keys, a Partial IV, an error, no option 40."""
    rejected = ("C1", "C3", "D1", "D2", "D4", "D5", "G2", "G5", "O1", "O3", "F2", "F3", "F4")
    forms = {c["id"]: form_of(c, H(c["response"])) for c in CAPTURES if c["id"] in rejected}
    assert set(rejected) == set(forms)
    assert not good_forms().intersection(forms.values())


def test_d01_a_usage_of_0_may_be_absent_or_explicit() -> None:
    """RFC 9031 §8.4.3: both are among the forms that firmware joined on."""
    absent, explicit = b"\x44\xff\xa1\x02\x82\x01\x50", b"\x44\xff\xa1\x02\x83\x01\x00\x50"
    assert {absent + bytes(16), explicit + bytes(16)} == {form.plaintext for form in good_forms()}


def test_b03_a_mote_that_restarts_is_silent_until_its_numbers_are_new(
    hall_of: Callable[[Mote], Hall],
) -> None:
    """RFC 9031 §7.3.2: its old requests, sent again from number 1, are replays; number 4 is not."""
    mote = mote_of("F2")
    hall = hall_of(mote)
    for capture in mote.captures:
        hall.ask(H(capture["request"]))
    hall.desk.now_ms += RESTART_AFTER_MS
    assert [None] * 3 == [hall.ask(H(capture["request"])) for capture in mote.captures]
    # The last one is a copy of the last that was accepted, and too old for its answer.
    assert {Reason.REPLAYED: 2, Reason.COPY_REFUSED: 1} == hall.metrics.drops
    assert hall.ask(_next_request(mote)) is not None


def _next_request(mote: Mote) -> bytes:
    """What the firmware sends next: the last datagram with the next number."""
    outer = message.decode(H(mote.captures[-1]["request"]))
    pledge = derive_for_jrc(mote.psk, mote.identifier).mirrored()
    inner = message.encode_inner(
        2, ((11, b"j"),), codec.encode_join_request(JoinRequest(b"\xfe\xca"))
    )
    number = mote.captures[-1]["sender_seq"] + 1
    piv = oscore.encode_piv(number)
    option, ciphertext = oscore.protect_request(pledge, piv, inner, with_kid_context=True)
    options = tuple((n, option if n == 9 else value) for n, value in outer.options)
    return message.encode(outer._replace(options=options, payload=ciphertext))
