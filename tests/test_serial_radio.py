"""The example installer of ``deploy/installers`` with a radio at the other end of a serial line."""

import asyncio
import os
import pty
import threading
import tty
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from jrc.cojp.objects import LinkLayerKey
from jrc.model import KeySetState, Secret
from jrc.net.execinstaller import ExecInstaller
from jrc.policy.keys import KeySet
from jrc.service.key_document import InstallReason, WantedKeys, key_document
from jrc.service.ports import InstallOutcome

DEPLOY = Path(__file__).parent.parent / "deploy" / "installers"
K1 = bytes.fromhex("c0dbdcdd000102c0c1c2c3c4c5c6c7db")
"""Holds every byte that SLIP has a meaning for (RFC 1055)."""
K2 = bytes.fromhex("1b6fe51c0d3a4f8890c2b7a4551e9d03")


class Radio:
    """Reads one frame, and answers."""

    def __init__(self, answer: bytes) -> None:
        self._ours, theirs = pty.openpty()
        tty.setraw(theirs)
        self._theirs = theirs
        self.path = os.ttyname(theirs)
        self.asked = b""
        self._answer = answer
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        line = b""
        while line.count(b"\xc0") < 2:
            try:
                line += os.read(self._ours, 1)
            except OSError:
                return
        frame = line.strip(b"\xc0").replace(b"\xdb\xdc", b"\xc0")
        self.asked = frame.replace(b"\xdb\xdd", b"\xdb")
        os.write(self._ours, self._answer)

    def close(self) -> None:
        os.close(self._theirs)
        os.close(self._ours)
        self._thread.join(10)


@pytest.fixture(params=[b"\xc0K\0\xc0"])
def radio(request: pytest.FixtureRequest) -> Iterator[Radio]:
    made = Radio(request.param)
    yield made
    made.close()


def put_in(place: str) -> InstallOutcome:
    """Two keys in force, and one that the radio must not send with."""
    current = (LinkLayerKey(1, Secret(K1), 6), LinkLayerKey(2, Secret(K2), 12))
    wanted = WantedKeys(
        network="lab",
        network_id=1,
        identifiers=(b"\xca\xfe",),
        generation=1,
        key_sets=(
            KeySet(2, KeySetState.SCHEDULED, (LinkLayerKey(3, Secret(bytes(range(16)))),)),
            KeySet(1, KeySetState.CURRENT, current),
        ),
    )
    with TemporaryDirectory() as folder:
        command = [str(DEPLOY / "serial-radio"), place]
        installer = ExecInstaller(command, 30, Path(folder) / "run.lock")
        return asyncio.run(installer.install("lab", key_document(wanted, InstallReason.START)))


@pytest.mark.parametrize(
    "radio",
    [b"\xc0K\0\xc0", b"noise\xc0\xc0\x60\0\xdb\xdc\xdb\xdd more\xc0\xc0K\0\xc0"],
    indirect=True,
)
def test_the_radio_gets_the_keys_in_force_and_says_so(radio: Radio) -> None:
    """Also amid other traffic; bytes with a meaning on the line are escaped."""
    assert put_in(radio.path) == InstallOutcome(installed=True)
    assert radio.asked == b"K\x02" + b"\x01\x06" + K1 + b"\x02\x0c" + K2


@pytest.mark.parametrize("radio", [b"\xc0K\x01\xc0"], indirect=True)
def test_a_radio_that_refuses_is_a_failure(radio: Radio) -> None:
    """The sentence is what the registrar's log shows."""
    outcome = put_in(radio.path)
    assert (outcome.how, outcome.said) == ("exit code 1", b"the radio has refused the keys\n")


def test_a_line_that_is_not_there_is_a_failure() -> None:
    """With its name, and without a traceback."""
    outcome = put_in("/dev/no-such-line")
    assert outcome.said == b"/dev/no-such-line can't be opened (No such file or directory)\n"
