"""Keys of both ends, and sealed files, for tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jrc.handover.cose import seal as sealed_anyhow
from jrc.handover.envelope import Cover
from jrc.handover.keys import PrivateKey, new_key
from jrc.handover.role import Role
from jrc.handover.rows import Packing
from jrc.handover.sealing import Opened, open_sealed, seal
from jrc.model import Secret
from jrc.service.import_file import read_rows

NOW_MS = 1_790_000_000_000
NAME = "batch.sealed"
PSKS = ("6d1f9c0a73e84b52a9c7d0e15f3b8264", "91c2a7704d5e4be3b9ad0f6118c3742e")
ROWS = (f"00124b0014b5b601,{PSKS[0]}", f"00124b0014b5b602,{PSKS[1]}")


@dataclass(frozen=True)
class Ends:
    """A builder and a registrar."""

    builder: PrivateKey
    registrar: PrivateKey

    @classmethod
    def new(cls) -> "Ends":
        return cls(new_key(Role.BUILDER), new_key(Role.REGISTRAR))

    def cover(self, rows: int = 2, serial: str = "batch-7", life_s: int = 3600) -> Cover:
        made_at_s = NOW_MS // 1000
        ids = self.builder.public.key_id, self.registrar.public.key_id
        return Cover(*ids, serial, made_at_s, made_at_s + life_s, rows)

    @cached_property
    def sealed(self) -> bytes:
        """A file with two devices."""
        return seal(content(), self.cover(), self.builder, self.registrar.public)

    def sealed_as(self, cover: Cover, of: Secret | None = None) -> bytes:
        """A file that nobody has looked at."""
        return sealed_anyhow(
            content() if of is None else of, cover, self.builder, self.registrar.public
        )

    def open(self, data: bytes, now_ms: int = NOW_MS) -> Opened:
        own, trusted = self.registrar, [self.builder.public]
        return open_sealed(data, NAME, builders=trusted, registrar=own, now_ms=now_ms)


def packing(rows: Sequence[str] = ROWS, header: str = "pledge_id,psk") -> Packing:
    """The rows of a CSV file."""
    found = Packing()
    found.add(read_rows(["\n".join((header, *rows, "")).encode()]))
    return found


def content() -> Secret:
    """The rows of two devices."""
    return packing().content()


def signed_by(key: PrivateKey, payload: bytes, builder: bytes | None = None) -> bytes:
    """A COSE_Encrypt with a signature of ``key`` round it, which says that it is ``builder``'s."""
    from pycose.keys.curves import Ed25519
    from pycose.keys.okp import OKPKey
    from pycose.messages.sign1message import Sign1Message

    from jrc.handover.envelope import outer_protected

    assert isinstance(key.native, Ed25519PrivateKey)
    message = Sign1Message(
        phdr_encoded=outer_protected(builder or key.public.key_id),
        payload=payload,
        key=OKPKey(Ed25519, d=key.native.private_bytes_raw()),
    )
    return bytes(message.encode())


def flipped(data: bytes, bit: int) -> bytes:
    """With one bit changed."""
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
