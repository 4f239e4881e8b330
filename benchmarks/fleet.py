"""Pledges that exist as keys alone, and the datagrams they send, made before anything is timed."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Network
from pathlib import Path

from jrc.cojp import message, oscore, recovery
from jrc.cojp.codec import encode_join_request
from jrc.cojp.constants import JOIN_PATH, JRC_HOST, CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Message
from jrc.cojp.objects import JoinRequest
from jrc.cojp.oscore_context import SecurityContext, derive_for_jrc

NETWORK = "bench"
NETWORK_ID = b"\xca\xfe"
PREFIX = IPv6Network("fd00::/64")
TOKEN_BYTES = 40
"""What a stateless Join Proxy seals into its token, about (RFC 9031 §7.1)."""
LARGEST_GARBAGE_BYTES = 200
_PLEDGE_ID_BYTES = 8
_PSK_BYTES = 16
_TAG_BIT = 0x01


@dataclass(frozen=True, slots=True)
class SimulatedPledge:
    """A pledge with its side of the security context (RFC 9031 §7.3)."""

    identifier: bytes
    security: SecurityContext


class Fleet:
    """``count`` pledges of a network; the same ones for the same ``seed``."""

    def __init__(
        self,
        count: int,
        seed: int = 9031,
        network: str = NETWORK,
        network_id: bytes = NETWORK_ID,
    ) -> None:
        self._network = network
        self._network_id = network_id
        self._random = random.Random(seed)
        self._keys = [
            (self._random.randbytes(_PLEDGE_ID_BYTES), self._random.randbytes(_PSK_BYTES))
            for _ in range(count)
        ]
        self._order = self._random.sample(self._keys, count)
        self._last_number = 0

    def write_csv(self, path: Path, label: str = "") -> None:
        """The file for ``jrc pledge import``."""
        rows = (
            f"{identifier.hex()},{psk.hex()},{self._network},{label}\n"
            for identifier, psk in self._keys
        )
        path.touch(mode=0o600)
        with path.open("w") as file:
            file.write("pledge_id,psk,network,label\n")
            file.writelines(rows)

    def pledges(self, count: int | None = None) -> list[SimulatedPledge]:
        """``count`` pledges with their keys derived, or all, in another order than imported.

        Pledges that join one after the other are no neighbours in the database.
        """
        return [
            SimulatedPledge(identifier, derive_for_jrc(psk, identifier).mirrored())
            for identifier, psk in self._order[:count]
        ]

    def requests(self, pledges: Iterable[SimulatedPledge]) -> list[bytes]:
        """One Join Request of each pledge, with a Partial IV none of them has used."""
        self._last_number += 1
        return [self._request(pledge, self._last_number) for pledge in pledges]

    def _request(self, pledge: SimulatedPledge, number: int) -> bytes:
        """As it comes from a Join Proxy: NON, Proxy-Scheme removed (RFC 9031 §7.1, §8.1.1)."""
        inner = message.encode_inner(
            CoapCode.POST,
            ((OptionNumber.URI_PATH, JOIN_PATH),),
            encode_join_request(JoinRequest(self._network_id)),
        )
        option, ciphertext = oscore.protect_request(
            pledge.security, oscore.encode_piv(number), inner, with_kid_context=True
        )
        return message.encode(
            Message(
                MessageType.NON,
                CoapCode.POST,
                self._random.getrandbits(16),
                self._random.randbytes(TOKEN_BYTES),
                ((OptionNumber.URI_HOST, JRC_HOST), (OptionNumber.OSCORE, option)),
                ciphertext,
            )
        )

    def renewed(
        self,
        pledges: Sequence[SimulatedPledge],
        requests: Sequence[bytes],
        answers: Iterable[bytes],
    ) -> list[SimulatedPledge]:
        """The pledges, each with the context that response #1 offers it (RFC 8613 App. B.2).

        ``answers``, to ``requests`` of these pledges, may come in any order; those that are no
        such response are left out.
        """
        psks = dict(self._keys)
        asked = zip(requests, pledges, strict=True)
        tokens = {message.decode(request).token: each.identifier for request, each in asked}
        renewed = []
        for answer in answers:
            found = message.decode(answer)
            identifier = tokens[found.token]
            (option,) = message.option_values(found.options, OptionNumber.OSCORE)
            r2 = recovery.r2_of(oscore.decode_option(option))
            if r2 is not None:
                id3 = r2 + self._random.randbytes(recovery.MIN_NONCE_BYTES)
                security = derive_for_jrc(psks[identifier], id3).mirrored()
                renewed.append(SimulatedPledge(identifier, security))
        return renewed

    def unknown(self, pledge: SimulatedPledge, count: int) -> list[bytes]:
        """Requests that are well-formed, each under another identifier that nobody has."""
        request = self._request(pledge, 1)
        before, _, after = request.partition(pledge.identifier)
        return [before + self._random.randbytes(_PLEDGE_ID_BYTES) + after for _ in range(count)]

    def forged(self, pledges: Sequence[SimulatedPledge], count: int) -> list[bytes]:
        """Requests in the names of ``pledges`` with fresh numbers and wrong tags."""
        made: list[bytes] = []
        while len(made) < count:
            made += [
                request[:-1] + bytes((request[-1] ^ _TAG_BIT,))
                for request in self.requests(pledges[: count - len(made)])
            ]
        return made

    def garbage(self, count: int) -> list[bytes]:
        """Random bytes of random length."""
        length = self._random.randint
        return [self._random.randbytes(length(1, LARGEST_GARBAGE_BYTES)) for _ in range(count)]
