"""Numbers and names that RFC 9031 and the RFCs under it fix; our own limits in a block apart."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

# --- What the RFCs fix -------------------------------------------------------------------------


class Label(IntEnum):
    """Map labels of CoJP parameters (RFC 9031 §11.1)."""

    ROLE = 1
    LINK_LAYER_KEY_SET = 2
    SHORT_IDENTIFIER = 3
    JRC_ADDRESS = 4
    NETWORK_IDENTIFIER = 5
    BLOCKLIST = 6
    JOIN_RATE = 7
    UNSUPPORTED_CONFIGURATION = 8


class Role(IntEnum):
    """What a pledge asks to be (RFC 9031 §8.4.1, Table 3)."""

    NODE = 0
    LBR = 1


class Code(IntEnum):
    """Why a parameter can't be acted upon (RFC 9031 §11.3)."""

    UNSUPPORTED = 0
    MALFORMED = 1


@dataclass(frozen=True, slots=True)
class KeyUsage:
    """What frames a link-layer key is for; ``mic_length`` in bytes; ``encrypts`` data frames."""

    name: str
    mic_length: int
    covers_beacons: bool
    covers_data: bool
    encrypts: bool


def _usages(first: int, infix: str, *covers: bool) -> dict[int, KeyUsage]:
    """Three usages in a row of RFC 9031 Table 6: with MIC-32, MIC-64 and MIC-128."""
    return {
        first + index: KeyUsage(f"6TiSCH-{infix}MIC{bits}", bits // 8, *covers)
        for index, bits in enumerate((32, 64, 128))
    }


KEY_USAGES: Final[Mapping[int, KeyUsage]] = MappingProxyType(
    _usages(0, "K1K2-ENC-", True, True, True)
    | _usages(3, "K1K2-", True, True, False)
    | _usages(6, "K1-", True, False, False)
    | _usages(9, "K2-", False, True, False)
    | _usages(12, "K2-ENC-", False, True, True)
)
"""RFC 9031 §11.2, Table 6."""

DEFAULT_KEY_USAGE: Final = 0
"""RFC 9031 §8.4.3: assumed where a key names none."""
LINK_LAYER_KEY_BYTES: Final = 16
"""RFC 9031 §8.4.3 with Table 6: each usage is AES-CCM-128."""
MAX_KEY_ID: Final = 254
"""RFC 9031 §8.4.3.3: IEEE 802.15.4 reserves 255."""
EVERY_KEY_ID: Final = frozenset(range(1, MAX_KEY_ID + 1))
"""RFC 9031 §8.4.3.3: what a key of a network can have; 0 is for pairwise ones."""
PAIRWISE_ADDINFO_BYTES: Final = (2, 8, 10)
"""RFC 9031 §8.4.3.3, Key ID Mode 0: short address, long address, or long then short."""
SHORT_IDENTIFIER_BYTES: Final = 2
"""RFC 9031 §8.4.4.1."""
RESERVED_SHORT_IDENTIFIERS: Final = (b"\xff\xfe", b"\xff\xff")
"""RFC 9031 §8.4.4.1: IEEE 802.15.4 has "no short address" and broadcast there."""
JRC_ADDRESS_BYTES: Final = 16
"""RFC 9031 §8.4.2."""

JRC_ID: Final = b"JRC"
"""RFC 9031 §7.3: the registrar's OSCORE identifier."""
PLEDGE_ID_KID: Final = b""
"""RFC 9031 §7.3: the pledge's OSCORE identifier."""
JRC_HOST: Final = b"6tisch.arpa"
"""RFC 9031 §8.1.1: Uri-Host of every CoJP request."""
JOIN_PATH: Final = b"j"
"""RFC 9031 §8.1.1: Uri-Path of every CoJP request."""

ACK_TIMEOUT_S: Final = 10.0
"""RFC 9031 §7.2."""
ACK_RANDOM_FACTOR: Final = 1.5
"""RFC 9031 §7.2."""
MAX_RETRANSMIT: Final = 4
"""RFC 9031 §7.2."""
MAX_LATENCY_S: Final = 100.0
"""RFC 7252 §4.8.2."""
COJP_MAX_JOIN_ATTEMPTS: Final = 4
"""RFC 9031 §8.5."""
COJP_REKEYING_GUARD_TIME_S: Final = 12.0
"""RFC 9031 §8.5."""


class MessageType(IntEnum):
    """RFC 7252 §3."""

    CON = 0
    NON = 1
    ACK = 2
    RST = 3


class CoapCode(IntEnum):
    """Methods and response codes in use here, class in the upper three bits (RFC 7252 §12.1)."""

    EMPTY = 0x00
    GET = 0x01
    POST = 0x02
    PUT = 0x03
    DELETE = 0x04
    FETCH = 0x05
    CHANGED = 0x44
    CONTENT = 0x45
    BAD_REQUEST = 0x80
    UNAUTHORIZED = 0x81
    BAD_OPTION = 0x82
    FORBIDDEN = 0x83
    NOT_FOUND = 0x84
    METHOD_NOT_ALLOWED = 0x85


class OptionNumber(IntEnum):
    """CoAP options met on the join path (RFC 7252 §12.2 and the registry it opened)."""

    IF_MATCH = 1
    URI_HOST = 3
    ETAG = 4
    IF_NONE_MATCH = 5
    OBSERVE = 6
    URI_PORT = 7
    LOCATION_PATH = 8
    OSCORE = 9
    URI_PATH = 11
    CONTENT_FORMAT = 12
    MAX_AGE = 14
    URI_QUERY = 15
    HOP_LIMIT = 16
    ACCEPT = 17
    BLOCK2 = 23
    BLOCK1 = 27
    PROXY_URI = 35
    PROXY_SCHEME = 39
    ECHO = 252
    NO_RESPONSE = 258
    REQUEST_TAG = 292


MAX_TOKEN_BYTES: Final = 65804
"""RFC 8974 §2.1."""
MAX_OPTION_NUMBER: Final = 65535
"""RFC 7252 §12.2."""
MAX_OPTION_BYTES: Final = 65804
"""RFC 7252 §3.1: 269 and sixteen bits."""
MAX_PIV_BYTES: Final = 5
"""RFC 8613 §6.1."""
MAX_SEQUENCE_NUMBER: Final = 2**40 - 1
"""RFC 8613 §7.2.1."""
REPLAY_WINDOW_SIZE: Final = 32
"""RFC 8613 §3.2.2."""
MAX_ECHO_BYTES: Final = 40
"""RFC 9175 §2.2.1."""

# --- Ours --------------------------------------------------------------------------------------

MAX_CBOR_BYTES: Final = 1024
"""A CoJP object on the wire; the largest useful one, a full key set, has about 150."""
MAX_CBOR_DEPTH: Final = 4
"""Join_Request, its label 8, a key set told there, and one level to spare."""
ENDPOINT_MAX_TOKEN_BYTES: Final = 1024
"""What an endpoint echoes; a stateless proxy's state has about 60 bytes."""
MAX_DATAGRAM_BYTES: Final = 4096
"""Longer ones are dropped unread."""
OPENWSN_PROXY_OPTION: Final = 40
"""An unregistered elective option in which OpenWSN's Join Proxy keeps its state."""
NUMBERS_EPOCH_S: Final = 1_767_225_600
"""2026-01-01T00:00:00Z in Unix seconds: where the floor of sender sequence numbers counts from."""
