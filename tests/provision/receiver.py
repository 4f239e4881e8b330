"""The C receiver of ``deploy/examples/serial`` in this process; a test sees into its flash."""

import ctypes
import hashlib
import itertools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from jrc.model import PledgeId, Secret
from jrc.provision.backlines import key_line
from jrc.provision.device import DerivedKeys, Device

FOLDER = Path(__file__).parents[2] / "deploy/examples/serial"
COMPILER = shutil.which("cc")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror", "-O1")
SOURCES = ("jrc_receiver.c", "jrc_check.c")
TRAPS = ("-fsanitize=undefined", "-fsanitize-undefined-trap-on-error")
"""What the C standard leaves undefined ends the process."""
_BOUNDS = 4096
"""Room behind the receiver's own state: what writes there is found."""


def compiled(folder: Path, name: str, *words: str, sources: Sequence[str] = SOURCES) -> Path:
    """What the compiler makes of the sources, without a warning."""
    assert COMPILER is not None
    out = folder / name
    paths = [str(FOLDER / source) for source in sources]
    command = [COMPILER, *STRICT, *words, "-o", str(out), *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr), done.stderr
    return out


class _Key(ctypes.Structure):
    _fields_ = [
        ("psk_len", ctypes.c_uint8),
        ("psk", ctypes.c_uint8 * 32),
        ("sender_key", ctypes.c_uint8 * 16),
        ("recipient_key", ctypes.c_uint8 * 16),
        ("common_iv", ctypes.c_uint8 * 13),
    ]


_LOAD = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Key))
_STORE = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.POINTER(_Key))
_PRINT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)
_NONCE = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_void_p)


class _Calls(ctypes.Structure):
    _fields_ = [("load", _LOAD), ("store", _STORE), ("print", _PRINT), ("nonce", _NONCE)]


def library(folder: Path) -> ctypes.CDLL:
    """The receiver as a library of this process."""
    found = ctypes.CDLL(str(compiled(folder, "receiver.so", "-shared", "-fPIC", *TRAPS)))
    found.jrc_receiver_init.restype = None
    found.jrc_receiver_init.argtypes = [
        ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p,
    ]  # fmt: skip
    found.jrc_receiver_offer.argtypes = [ctypes.c_void_p]
    found.jrc_receiver_feed.argtypes = [ctypes.c_void_p, ctypes.c_uint8]
    found.jrc_key_check.restype = None
    found.jrc_key_check.argtypes = [
        ctypes.POINTER(_Key), ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p,
    ]  # fmt: skip
    return found


class Receiver:
    """A device: ``flash`` is its key as 78 bytes, ``printed`` what came out and was not fetched.

    It may be reset at any moment, also in the middle of storing: ``dies`` says at which call.
    """

    def __init__(self, code: ctypes.CDLL, identifier: PledgeId) -> None:
        self._code = code
        self.identifier = identifier
        self.flash: bytes | None = None
        self.writes: list[bytes] = []
        self.printed = bytearray()
        self.refuses_to_store = False
        self.spoils = False
        """Whether its flash has a bit that can't be set."""
        self.dies: str | None = None
        self._is_dead = False
        self._nonce = 0
        self._calls = _Calls(
            _LOAD(self._load), _STORE(self._store), _PRINT(self._print), _NONCE(self._next)
        )
        self.boot()

    def boot(self) -> None:
        """Its memory is empty; what it has not printed yet is lost."""
        self._is_dead = False
        self._state = ctypes.create_string_buffer(_BOUNDS)
        self._id = ctypes.create_string_buffer(self.identifier.value)
        self._code.jrc_receiver_init(
            self._state, self._id, len(self.identifier.value), ctypes.byref(self._calls), None
        )

    def offer(self) -> None:
        """As at boot, and every few seconds."""
        self._code.jrc_receiver_offer(self._state)

    def feed(self, data: bytes) -> None:
        """Bytes from the port."""
        for byte in data:
            if not self._is_dead:
                self._code.jrc_receiver_feed(self._state, byte)
        assert not any(self._state.raw[1024:]), "it has written behind its state"

    def set_nonce(self, number: int) -> None:
        """What the next offer has."""
        self._nonce = number - 1

    def fetch(self) -> bytes:
        """What it has printed since."""
        found, self.printed = bytes(self.printed), bytearray()
        return found

    def remembers(self, secret: bytes) -> bool:
        """Whether its memory has these bytes."""
        return secret in self._state.raw

    @property
    def is_dead(self) -> bool:
        """Whether it died, and waits for a reset."""
        return self._is_dead

    @property
    def check(self) -> str | None:
        """The check value of the key in its flash, by its own code."""
        if self.flash is None:
            return None
        found = ctypes.create_string_buffer(4)
        key = _Key.from_buffer_copy(self.flash)
        self._code.jrc_key_check(key, self.identifier.value, len(self.identifier.value), found)
        return found.raw.hex()

    def _dies_at(self, moment: str) -> bool:
        self._is_dead = self._is_dead or self.dies == moment
        return self._is_dead

    def _load(self, _context: object, key: "ctypes._Pointer[_Key]") -> int:
        if self.flash is None:
            return -1
        ctypes.memmove(key, self.flash, len(self.flash))
        return 0

    def _store(self, _context: object, key: "ctypes._Pointer[_Key]") -> int:
        if self._dies_at("before storing") or self.refuses_to_store or self.flash is not None:
            return -1
        self.flash = ctypes.string_at(key, ctypes.sizeof(_Key))
        if self.spoils:
            self.flash = self.flash[:1] + bytes((self.flash[1] ^ 0x10,)) + self.flash[2:]
        self.writes.append(self.flash)
        self._dies_at("after storing")
        return 0

    def _print(self, _context: object, line: bytes) -> None:
        if not self._is_dead:
            self.printed += line + b"\r\n"
        self._dies_at("after printing")

    def _next(self, _context: object) -> int:
        self._nonce += 1
        return self._nonce


def stored(flash: bytes, identifier: PledgeId) -> Device:
    """The device whose key a flash has."""
    length, psk = flash[0], flash[1:33]
    if length:
        return Device.from_psk(identifier, Secret(psk[:length]))
    values = flash[33:49], flash[49:65], flash[65:78]
    return Device.from_derived(identifier, DerivedKeys(*map(Secret, values)))


def as_sent(made: Device, nonce: str) -> bytes:
    """A key as the host sends it."""
    return f"\r\n{key_line(made, nonce)}\r\n".encode()


class Foreseeable:
    """Bytes that look random, other ones at each draw and for each ``seed``."""

    def __init__(self, seed: int = 0) -> None:
        self._draws = itertools.count(seed << 32)

    def __call__(self, count: int) -> bytes:
        return hashlib.shake_256(next(self._draws).to_bytes(8)).digest(count)
