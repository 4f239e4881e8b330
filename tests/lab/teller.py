"""A stand-in registrar that tells one simulated node: our own codec and OSCORE, nothing stored."""

from collections.abc import Iterable

from jrc.cojp import codec, message, oscore
from jrc.cojp.constants import JOIN_PATH, JRC_HOST, JRC_ID, CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Inner, Message
from jrc.cojp.objects import Configuration, LinkLayerKey
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.lab.configuration import LabKey
from jrc.model import Secret

PATH: message.Options = ((int(OptionNumber.URI_PATH), JOIN_PATH),)
HOST: message.Options = ((int(OptionNumber.URI_HOST), JRC_HOST),)


class Teller:
    """The registrar's side of one context; ``number`` is the next sequence number."""

    def __init__(self, identifier: bytes, psk: bytes) -> None:
        self.context = derive_for_jrc(psk, identifier)
        self.number = 0

    def request(
        self,
        payload: bytes,
        *,
        number: int | None = None,
        options: message.Options = PATH,
        inner_code: int = CoapCode.POST,
        outer_code: int = CoapCode.POST,
        type: int = MessageType.CON,
        message_id: int = 99,
        token: bytes = b"upd",
        head: message.Options = HOST,
        with_kid_context: bool = True,
    ) -> bytes:
        """A Parameter Update with the next number (RFC 9031 §8.2.1)."""
        if number is None:
            number, self.number = self.number, self.number + 1
        value, ciphertext = oscore.protect_request(
            self.context,
            oscore.encode_piv(number),
            message.encode_inner(inner_code, options, payload),
            with_kid_context=with_kid_context,
        )
        shown = (*head, (int(OptionNumber.OSCORE), value))
        return message.encode(Message(type, outer_code, message_id, token, shown, ciphertext))

    def keys(self, *keys: LabKey, **fields: int) -> bytes:
        """An update with a key set."""
        return self.request(configuration(keys), **fields)  # type: ignore[arg-type]

    def read(self, answer: bytes | None, request: bytes) -> Inner:
        """What the node says to an update."""
        assert answer is not None
        asked, outer = message.decode(request), message.decode(answer)
        piv = oscore.decode_option(_option(asked)).piv
        assert piv is not None
        assert outer.token == asked.token
        plaintext = oscore.unprotect_response(
            self.context, JRC_ID, piv, oscore.decode_option(_option(outer)), outer.payload
        )
        return message.decode_inner(plaintext)


def configuration(keys: Iterable[LabKey]) -> bytes:
    """A Configuration with keys alone."""
    ours = tuple(LinkLayerKey(key.key_id, key.value, key.usage, key.addinfo) for key in keys)
    return codec.encode_configuration(Configuration(keys=ours))


def key(key_id: int, usage: int = 0, fill: int | None = None) -> LabKey:
    """A key whose value follows from its id, or from ``fill``."""
    return LabKey(key_id, usage, Secret(bytes([key_id if fill is None else fill]) * 16))


def _option(outer: Message) -> bytes:
    (value,) = message.option_values(outer.options, OptionNumber.OSCORE)
    return value
