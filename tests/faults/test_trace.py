"""The reader of strace's output, on lines as strace writes them."""

import pytest

from jrc.cojp.message import Message, encode
from tests.faults import trace
from tests.faults.trace import Verdict

ANSWER = b"ciphertext of one answer"
LOG = "8<" + "".join(f"\\x{byte:02x}" for byte in b"/d/jrc.db-wal") + ">"
SOCKET = "12<\\x73>"


def text(data: bytes) -> str:
    return '"' + "".join(f"\\x{byte:02x}" for byte in data) + '"'


def frame(pid: int, page: bytes, pages_after_commit: int) -> list[str]:
    header = bytes(4) + pages_after_commit.to_bytes(4) + bytes(16)
    return [
        f"{pid}  pwrite64({LOG}, {text(data)}, {len(data)}, {at}) = {len(data)}"
        for at, data in ((32, header), (56, page))
    ]


WRITTEN = frame(7, b"page with " + ANSWER, 0)
COMMITTED = frame(7, b"last page", 55)
SYNCED = [f"7  fdatasync({LOG}) = 0"]
DATAGRAM = text(encode(Message(1, 68, 1, b"", ((9, b""),), ANSWER)))
SENT = [f"6  sendmsg({SOCKET}, {{msg_name={{}}, msg_iov=[{{iov_base={DATAGRAM}}}]}}, 0) = 33"]


@pytest.mark.parametrize(
    ("lines", "early"),
    [
        (WRITTEN + COMMITTED + SYNCED + SENT, 0),
        (WRITTEN + COMMITTED + SENT + SYNCED, 1),
        (WRITTEN + SYNCED + COMMITTED + SENT, 1),
        (WRITTEN + SYNCED + SENT, 1),
        (COMMITTED + SYNCED + SENT, 1),
        (WRITTEN + COMMITTED + [f"7  fdatasync({LOG}) = -1 EIO (Input/output error)"] + SENT, 1),
    ],
    ids=["good", "sent_first", "synced_first", "no_commit", "other_answer", "failed_sync"],
)
def test_an_answer_counts_as_early_until_its_commit_is_synced(lines: list[str], early: int) -> None:
    """RFC 9031 §7.3.1."""
    assert Verdict(answers=1, early=early) == trace.judge(trace.read(lines))


@pytest.mark.parametrize("sent_between", [False, True])
def test_calls_that_others_interrupt_end_where_they_return(sent_between: bool) -> None:
    """strace pads the result of a resumed call."""
    begun = [f"7  fdatasync({LOG} <unfinished ...>", '6  sendto(5<\\x73>, "\\x00", 1, 0) = 1']
    ended = ["7  <... fdatasync resumed>)                 = 0"]
    between, after = (SENT, []) if sent_between else ([], SENT)
    lines = WRITTEN + COMMITTED + begun + between + ended + after
    assert Verdict(answers=1, early=int(sent_between)) == trace.judge(trace.read(lines))


def test_a_commit_that_is_written_while_a_sync_runs_waits_for_the_next_one() -> None:
    """What a sync covers is what was there when it began."""
    begun = [f"7  fdatasync({LOG} <unfinished ...>"]
    ended = ["7  <... fdatasync resumed>)                 = 0"]
    lines = WRITTEN + begun + frame(8, b"last page", 55) + ended + SENT
    assert Verdict(answers=1, early=1) == trace.judge(trace.read(lines))
