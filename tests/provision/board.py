"""Boards on serial ports: pseudo-terminals at a path that stays, as udev's links do."""

import os
import pty
import termios
import tty
from contextlib import suppress
from pathlib import Path

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec

KEY_BASE = 0x5EED
"""Keys of boards are made of small numbers: a test needs no good ones."""


def public_x(number: int) -> bytes:
    """The x of a board's key."""
    key = ec.derive_private_key(KEY_BASE + number, ec.SECP256R1())
    return key.public_key().public_numbers().x.to_bytes(32, "big")


def credential(number: int) -> bytes:
    """A board's credential."""
    return cbor2.dumps({8: {1: {1: 2, 2: b"", -1: 1, -2: public_x(number)}}})


def device_id(number: int) -> str:
    """A board's id in hex."""
    return f"00124b00{number:08x}"


def boot_lines(number: int) -> bytes:
    """What a board prints when it starts."""
    listed = ", ".join(device_id(number)[at : at + 2] for at in range(0, 16, 2))
    return (
        "ESP-ROM:esp32c6-20220919\r\n[INFO ] Board type: some\r\n"
        f"[INFO ] Device ID: [{listed}]\r\n[INFO ] Hello\r\n"
        "[INFO ] CoAP server identity: "
        f"{{8:{{1:{{1:2, 2:h'', -1:1, -2:h'{public_x(number).hex()}'}}}}}}\r\n"
        "[INFO ] Server is ready.\r\n"
    ).encode()


class Socket:
    """A path where a board can be plugged in; ``path`` leads nowhere while none is."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._board: int | None = None

    def plug(self) -> None:
        """A board is there."""
        self.unplug()
        board, line = pty.openpty()
        tty.setraw(line, termios.TCSANOW)
        name = os.ttyname(line)
        os.close(line)
        os.set_blocking(board, False)
        self._board = board
        beside = self.path.with_name(f"{self.path.name}.new")
        beside.symlink_to(name)
        beside.replace(self.path)

    def unplug(self) -> None:
        """It is gone, and the port with it."""
        if self._board is not None:
            self.path.unlink()
            os.close(self._board)
            self._board = None

    def prints(self, data: bytes) -> None:
        """The board writes; what nobody reads is lost."""
        if self._board is not None:
            with suppress(OSError):
                os.write(self._board, data)

    def was_sent(self) -> bytes:
        """What came to the board."""
        assert self._board is not None
        with suppress(OSError):
            return os.read(self._board, 4096)
        return b""
