"""What single values in the config file may be.

A message of a ``ValueError`` here goes on where the key's name ends; it never repeats the value,
since what stands in the wrong place may be a key.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo

from jrc.model import PledgeId

MAX_SOCKET_PATH_BYTES = 107
"""What Linux keeps of a Unix socket's path, its ending zero left out (unix(7))."""


class Endpoint(NamedTuple):
    """An IP address, a UDP or TCP port and the zone of a link-local address, else ``""``."""

    host: str
    port: int
    scope: str = ""

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """The address without its zone."""
        return ipaddress.ip_address(self.host)

    def __str__(self) -> str:
        zone = f"%{self.scope}" if self.scope else ""
        return (
            f"[{self.host}{zone}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        )


_ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)(?:%([\w.@-]{1,15}))?\]|([0-9.]+)):([0-9]{1,5})")


def endpoint(text: object) -> Endpoint:
    """The endpoint written as ``[address]:port``, ``[address%interface]:port`` or ``1.2.3.4:port``.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(text, str):
        raise ValueError('must be a string such as "[2001:db8::1]:5683"')
    match = _ENDPOINT.fullmatch(text)
    if not match or int(match[4]) > 65535:
        raise ValueError('must be an address and a port, such as "[2001:db8::1]:5683"')
    try:
        address = ipaddress.ip_address(match[1] or match[3])
    except ValueError:
        raise ValueError("does not hold a valid IP address") from None
    if address.version == 6 and address.is_link_local and not match[2]:
        raise ValueError(
            'is a link-local address, so it needs its interface: "[fe80::1%eth0]:5683"'
        )
    return Endpoint(str(address), int(match[4]), match[2] or "")


def _unicast_ipv6(value: Endpoint) -> Endpoint:
    if value.address.version != 6:
        raise ValueError("must be an IPv6 address: CoJP runs over 6LoWPAN")
    if value.address.is_multicast:
        raise ValueError("is a multicast address, and what comes to one is never answered")
    return value


def _with_port(value: Endpoint) -> Endpoint:
    if not value.port or value.address.is_unspecified:
        raise ValueError("must name one address and a port other than 0 to send to")
    return value


def _on_loopback(value: Endpoint) -> Endpoint:
    if not value.address.is_loopback:
        raise ValueError("must be an address of loopback: nothing of a lab leaves this host")
    return value


def _of_this_host(value: Endpoint) -> Endpoint:
    if value.host not in ("127.0.0.1", "::1"):
        raise ValueError(
            "must be on 127.0.0.1 or [::1]: from another machine the page is reached over ssh -L"
        )
    return value


def _beside_config(value: object, info: ValidationInfo) -> object:
    """An absolute path; a relative one is taken from the config file's folder."""
    if not isinstance(value, str):
        return value
    if not value or "\0" in value:
        raise ValueError("must be the path of a file")
    return info.context["folder"] / value if info.context else Path(value)


def _socket_path(value: Path) -> Path:
    if len(bytes(value)) > MAX_SOCKET_PATH_BYTES:
        raise ValueError(
            f"is longer than the {MAX_SOCKET_PATH_BYTES} bytes that a Unix socket's path may have"
        )
    return value


def _database_url(value: object, info: ValidationInfo) -> object:
    """The URL; the path in a SQLite one is made absolute from the config file's folder."""
    if not isinstance(value, str):
        return value
    if value.startswith(("postgresql://", "postgresql+psycopg://")):
        return value
    if not value.startswith("sqlite:///"):
        raise ValueError('must begin with "sqlite:///" or "postgresql+psycopg://"')
    name = value.removeprefix("sqlite:///")
    if not name or name.startswith((":memory:", "file:")) or "?" in name or "\0" in name:
        raise ValueError("must name a plain file: a registrar that forgets repeats a nonce")
    folder = info.context["folder"] if info.context else Path()
    return f"sqlite:///{folder / name}"


def as_tuple(value: object) -> object:
    """A list as the tuple that a frozen section holds."""
    return tuple(value) if isinstance(value, list) else value


def _command(value: object, info: ValidationInfo) -> object:
    """A program and its arguments; a relative path is taken from the config file's folder."""
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        return as_tuple(value)
    program, *arguments = value
    if not program:
        raise ValueError("must begin with a program")
    if "/" in program and info.context:
        program = str(info.context["folder"] / program)
    return (program, *arguments)


def _argument(value: str) -> str:
    if "\0" in value:
        raise ValueError("holds a zero byte, which no program can be given")
    return value


def _pledge_id(value: str) -> str:
    try:
        return str(PledgeId.from_hex(value))
    except ValueError:
        raise ValueError("must be a pledge identifier of 1 to 248 bytes in hex") from None


def _network_id(value: str) -> str:
    try:
        return bytes.fromhex(value).hex()
    except ValueError:
        raise ValueError('must be a network identifier in hex, such as "cafe"') from None


def _expression(value: str) -> str:
    """A regular expression that an empty line does not match: it would match every line."""
    try:
        found = re.compile(value)
    except (re.error, RecursionError, OverflowError) as error:
        where = getattr(error, "pos", None)
        at = "" if where is None else f" (see its character {where + 1})"
        raise ValueError(f"must be a regular expression as Python has them{at}") from None
    if found.search(""):
        raise ValueError("matches an empty line, and so every line")
    return value


def _with_value(value: str) -> str:
    if "value" not in re.compile(value).groupindex:
        raise ValueError("lacks the group (?P<value>...) round the bytes that are wanted")
    return value


AnyEndpoint = Annotated[Endpoint, BeforeValidator(endpoint)]
CoapEndpoint = Annotated[AnyEndpoint, AfterValidator(_unicast_ipv6)]
CoapPeer = Annotated[CoapEndpoint, AfterValidator(_with_port)]
"""Where datagrams are sent to."""
LoopbackEndpoint = Annotated[CoapPeer, AfterValidator(_on_loopback)]
PageEndpoint = Annotated[AnyEndpoint, AfterValidator(_of_this_host)]
File = Annotated[Path, BeforeValidator(_beside_config)]
SocketFile = Annotated[File, AfterValidator(_socket_path)]
DatabaseUrl = Annotated[str, BeforeValidator(_database_url)]
NetworkName = Annotated[str, Field(min_length=1, max_length=255)]
NetworkIdHex = Annotated[str, AfterValidator(_network_id)]
PledgeIdHex = Annotated[str, AfterValidator(_pledge_id)]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$")]
Groups = Annotated[tuple[GroupName, ...], BeforeValidator(as_tuple), Field(max_length=64)]
HostName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,253}$")]
InterfaceName = Annotated[str, Field(pattern=r"^[^\s/%]{1,15}$")]
Expression = Annotated[str, Field(min_length=1, max_length=1024), AfterValidator(_expression)]
ValueExpression = Annotated[Expression, AfterValidator(_with_value)]
"""With the group ``value``."""
Argument = Annotated[str, Field(max_length=4096), AfterValidator(_argument)]
Program = Annotated[tuple[Argument, ...], BeforeValidator(_command), Field(min_length=1)]
Seconds = Annotated[float, Field(gt=0, le=7 * 86400, allow_inf_nan=False)]
