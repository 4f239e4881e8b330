"""What the C receiver leaves in a device's memory once it has a key, and what it leaves alone."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from time import monotonic, sleep
from typing import Final

import pytest

from jrc.provision.backlines import Said, Why, Word, key_line, said_in
from jrc.provision.device import Device
from jrc.provision.generate import generate
from jrc.provision.source import KeySource
from tests.provision.receiver import COMPILER, FOLDER, SOURCES, Foreseeable, compiled
from tests.provision.source import EUI64

STACK: Final = 4096
"""Bytes that ``stack.c`` prints after each key."""
TELLING: Final = 16
"""Bytes in a row that are another key's where the key is another: a spilled register has less."""
WITHIN_S: Final = 10.0
"""For a device that was given no time by the machine."""
SECRET: Final = 8
"""Bytes of a key in a row, which nothing has by chance."""
pytestmark = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")


def devices(*, derived: bool) -> Iterator[Device]:
    """One device, with other keys each time."""
    for seed in range(1, 5):
        yield from generate([EUI64], KeySource(Foreseeable(seed)), derived=derived)


def secrets(made: Device) -> Iterator[bytes]:
    """Its PSK and its keys; also as an HMAC pads them."""
    whole = [each.reveal() for each in (made.psk, *made.keys[:2]) if each is not None]
    for secret in whole:
        yield from (bytes(byte ^ pad for byte in secret) for pad in (0, 0x36, 0x5C))


def is_in(memory: bytes, secret: bytes) -> bool:
    """Whether some of it is there, also as words of the other byte order."""
    turned = b"".join(secret[at : at + 4][::-1] for at in range(0, len(secret), 4))
    starts = range(len(secret) - SECRET + 1)
    return any(each[at : at + SECRET] in memory for each in (secret, turned) for at in starts)


def longest_difference(dumps: Sequence[bytes]) -> int:
    """How many bytes in a row are not the same in all."""
    differ = (len(set(column)) > 1 for column in zip(*dumps, strict=True))
    return max((len(list(run)) for is_other, run in groupby(differ) if is_other), default=0)


@pytest.mark.parametrize("derived", [False, True], ids=["psk", "derived"])
@pytest.mark.parametrize("optimized", ["-O0", "-Os", "-O2"])
def test_nothing_that_tells_of_a_key_is_left_on_the_stack(
    optimized: str, derived: bool, tmp_path: Path
) -> None:
    """No key, pad, digest or state of a hash: a later function may print what it finds there."""
    source = str(Path(__file__).with_name("stack.c"))
    # Bound at the start: what binds a function at its first call uses the stack too.
    words = ("-I", str(FOLDER), "-Wl,-z,now", optimized)
    program = compiled(tmp_path, "stack", *words, sources=(source, *SOURCES))
    made = list(devices(derived=derived))
    lines = "".join(f"{key_line(each, '00000001')}\n" for each in made)
    done = subprocess.run([program], input=lines.encode(), capture_output=True, check=True)
    dumps = [done.stdout[at : at + STACK] for at in range(0, len(done.stdout), STACK)]
    assert len(made) == len(dumps)
    for device, dump in zip(made, dumps, strict=True):
        assert f"jrc1 stored id={EUI64} key={device.key_check}".encode() in dump, "it is elsewhere"
        assert not [each.hex() for each in secrets(device) if is_in(dump, each)]
    assert longest_difference(dumps) <= TELLING


class Running:
    """``device.c``, its console in our hands."""

    def __init__(self, program: Path, flash: Path) -> None:
        self._process = subprocess.Popen(
            [program, str(EUI64), flash], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
        )

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def heard(self) -> Said:
        """The next that it says of itself."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            said = said_in(line.decode().strip())
            if isinstance(said, Said):
                return said
        raise AssertionError("it has ended")

    def give(self, made: Device, nonce: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{key_line(made, nonce)}\n".encode())

    def memory(self) -> bytes:
        """All that it may write to."""
        held = bytearray()
        process = Path(f"/proc/{self._process.pid}")
        with (process / "mem").open("rb", buffering=0) as memory:
            for line in (process / "maps").read_text().splitlines():
                if found := re.match(r"([0-9a-f]+)-([0-9a-f]+) rw", line):
                    first, last = (int(end, 16) for end in found.groups())
                    memory.seek(first)
                    held += memory.read(last - first)
        return bytes(held)


@pytest.fixture
def flash(tmp_path: Path) -> Path:
    return tmp_path / "flash"


@pytest.fixture
def running(tmp_path: Path, flash: Path) -> Iterator[Running]:
    """A device that was just switched on; it offers itself often."""
    words = ("-DOFFER_MS=50", "-Wno-conversion")
    program = compiled(tmp_path, "device", *words, sources=("device.c", *SOURCES))
    flash.write_bytes(b"torn")  # by something else: what it writes itself is whole
    started = Running(program, flash)
    yield started
    started.close()


def test_the_example_has_no_key_in_memory_once_it_is_stored(running: Running, flash: Path) -> None:
    """Neither in its own variables nor in a library's buffer; nor the line that it came in."""
    flash.unlink()
    (made, *_) = devices(derived=False)
    running.give(made, running.heard().nonce)
    while (said := running.heard()).word is not Word.STORED:
        running.give(made, said.nonce)
    assert made.key_check == said.check
    assert made.psk is not None
    told = (*secrets(made), made.psk.reveal().hex().encode())
    # It says so, and wipes what it has; a line that came late is wiped when it is whole.
    ends_s = monotonic() + WITHIN_S
    while left := [each for each in told if is_in(memory_of(running), each)]:
        assert monotonic() < ends_s, left
        sleep(0.05)


def memory_of(running: Running) -> bytes:
    """With what it has to hold, so that it is not looked for elsewhere."""
    try:
        memory = running.memory()
    except PermissionError:
        pytest.skip("another process's memory can't be read here")
    assert EUI64.value in memory
    return memory


def test_the_example_never_writes_in_place_of_what_is_in_its_flash(
    running: Running, flash: Path
) -> None:
    """A file is there that it can't read: for whoever has the device in hand to erase."""
    (made, *_) = devices(derived=False)
    while (said := running.heard()).word is not Word.REFUSED or said.why is Why.LATE:
        running.give(made, said.nonce)
    assert (Why.STORAGE, None) == (said.why, said.check)
    assert b"torn" == flash.read_bytes()
    assert [flash] == list(flash.parent.glob("flash*"))
