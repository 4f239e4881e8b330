"""What the helper for a radio takes at most, against what its unit gives it."""

import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from jrc.model import Secret
from jrc.net.helpertalk import (
    LENGTH,
    LONGEST_RUN_S,
    MAX_MESSAGE_BYTES,
    Question,
    Wish,
    answer_of,
    length_of,
    packed,
    unpacked,
)
from tests.net.bench import OLD, document, key

CHECKOUT = Path(__file__).parents[2]
RUNS = 2
"""The second one has other nodes, and the first one's are remembered."""
_HELPER = """
import os, re, socket, sys
from contextlib import asynccontextmanager
from jrc.cli import wpan  # as the unit runs it
from jrc.net import helper, ieee802154, linuxinstaller

class Radio:
    pan_id = 0xcafe
    async def parameters(self):
        return ieee802154.Parameters(enabled=False, outgoing=None, frame_counter=0)
    async def nodes(self):
        return []
    levels = keys = nodes
    async def done(self, *_told):
        pass
    add_node = remove_node = add_level = add_key = send_with = done

@asynccontextmanager
async def usable(_interface, _open_socket):
    yield Radio()

linuxinstaller.usable = usable
listener = socket.socket(fileno=int(sys.argv[1]))
asked = helper.Helper("wpan0", str(os.geteuid()), print)
for _ in range(int(sys.argv[2])):
    connection, _ = listener.accept()
    with connection:
        asked.talk(connection)
with open("/proc/self/status") as status:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", status.read())[1])
"""


def question(count: int, first: int = 0) -> bytes:
    """For a network of so many nodes."""
    nodes = tuple(number.to_bytes(8) for number in range(first, first + count))
    told: Secret = document(key(1, OLD), nodes=nodes)
    asked = Question(
        wish=Wish.INSTALL,
        interface="wpan0",
        timeout_s=LONGEST_RUN_S,
        document=told.reveal().decode(),
    )
    return packed(asked.message())


def biggest(first: int) -> bytes:
    """Of as many nodes as a message has room for."""
    one, two = len(question(0x10000)), len(question(0x10001))
    return question(0x10000 + (MAX_MESSAGE_BYTES - one) // (two - one) - 1, first)


def ask(address: str, said: bytes) -> bool:
    """Whether the helper says that all is in."""
    with closing(socket.socket(socket.AF_UNIX)) as end:
        end.connect(address)
        end.sendall(said)
        while True:
            length = length_of(end.recv(LENGTH.size, socket.MSG_WAITALL))
            told = unpacked(end.recv(length, socket.MSG_WAITALL))
            if "note" not in told:
                return answer_of(told).good
            end.sendall(packed({"noted": True}))


def test_the_biggest_message_fits_into_the_memory_of_the_unit(tmp_path: Path) -> None:
    """`MemoryMax=` ends a process that takes more; 65,535 nodes are half of such a message."""
    unit = (CHECKOUT / "deploy/systemd/jrc-wpan@.service").read_text()
    (limit,) = re.findall(r"^MemoryMax=(\d+)M$", unit, re.MULTILINE)
    address = str(tmp_path / "wpan0.sock")
    with closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind(address)
        listener.listen()
        helper = subprocess.Popen(
            [sys.executable, "-c", _HELPER, str(listener.fileno()), str(RUNS)],
            pass_fds=[listener.fileno()],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
        )
    said = [biggest(run << 32) for run in range(RUNS)]
    assert all(MAX_MESSAGE_BYTES * 0.999 < len(each) <= MAX_MESSAGE_BYTES + 4 for each in said)
    assert [True] * RUNS == [ask(address, each) for each in said]
    peak, _ = helper.communicate(timeout=60)
    assert int(peak) < int(limit) * 1024
