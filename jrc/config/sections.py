"""The sections of the config file and what their values may be.

A message of a ``ValueError`` here goes on where the key's name ends; it never repeats the value,
since what stands in the wrong place may be a key.
"""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from jrc.model import PledgeId

MAX_SOCKET_PATH_BYTES = 107
"""What Linux keeps of a Unix socket's path, its ending zero left out (unix(7))."""
MAX_INSTALLER_TIMEOUT_S = 240
"""`jrc network install` waits for one run that is under way and for its own."""


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
        raise ValueError('must begin with "sqlite:///"')
    name = value.removeprefix("sqlite:///")
    if not name or name.startswith((":memory:", "file:")) or "?" in name or "\0" in name:
        raise ValueError("must name a plain file: a registrar that forgets repeats a nonce")
    folder = info.context["folder"] if info.context else Path()
    return f"sqlite:///{folder / name}"


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def _command(value: object, info: ValidationInfo) -> object:
    """A program and its arguments; a relative path is taken from the config file's folder."""
    if not isinstance(value, list) or not value or not isinstance(value[0], str):
        return _as_tuple(value)
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


_AnyEndpoint = Annotated[Endpoint, BeforeValidator(endpoint)]
_CoapEndpoint = Annotated[_AnyEndpoint, AfterValidator(_unicast_ipv6)]
_File = Annotated[Path, BeforeValidator(_beside_config)]
_Name = Annotated[str, Field(min_length=1, max_length=255)]
_Argument = Annotated[str, Field(max_length=4096), AfterValidator(_argument)]
_Interface = Annotated[str, Field(pattern=r"^[^\s/%]{1,15}$")]
_Seconds = Annotated[float, Field(gt=0, le=7 * 86400, allow_inf_nan=False)]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, defer_build=False
    )


class Coap(_Section):
    """``[coap]``: where join requests arrive, and whether copies get the stored answer again."""

    listen: Annotated[
        tuple[_CoapEndpoint, ...], BeforeValidator(_as_tuple), Field(min_length=1, max_length=64)
    ] = (Endpoint("::", 5683),)
    retransmit_cache: bool = True

    @model_validator(mode="after")
    def _no_address_twice(self) -> Self:
        fixed = [e for e in self.listen if e.port]
        if len(set(fixed)) != len(fixed):
            raise ValueError("coap.listen names one address and port twice")
        return self


class Database(_Section):
    """``[database]``: the URL of the one authoritative store; it may hold a password."""

    url: Annotated[str, BeforeValidator(_database_url), Field(repr=False)] = (
        "sqlite:////var/lib/jrc/jrc.db"
    )

    @property
    def file(self) -> Path | None:
        """The SQLite file, or ``None`` with a database server."""
        _, sqlite, name = self.url.partition("sqlite:///")
        return Path(name) if sqlite else None


class Keys(_Section):
    """``[keys]``: where the key encryption key is. One of the two is set."""

    kek_file: _File | None = None
    credential: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,255}$")] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one_place(cls, given: object) -> object:
        if isinstance(given, dict):
            if "kek_file" in given and "credential" in given:
                raise ValueError("keys.kek_file and keys.credential exclude each other")
            if not given:
                return {"kek_file": "/var/lib/jrc/kek"}
        return given


class Admin(_Section):
    """``[admin]``: the Unix socket on which the CLI talks to the daemon."""

    socket: Annotated[_File, AfterValidator(_socket_path)] = Path("/run/jrc/admin.sock")


class Instance(_Section):
    """``[instance]``: the file that tells an old copy of the database; it stays out of backups."""

    file: _File | None = None


class Metrics(_Section):
    """``[metrics]``: serves ``/metrics``, ``/healthz`` and ``/readyz`` where it is present."""

    listen: _AnyEndpoint = Endpoint("127.0.0.1", 9631)


class Log(_Section):
    """``[log]``: ``auto`` is ``console`` on a terminal and ``json`` elsewhere."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Proxy(_Section):
    """``[proxy]``: a Join Proxy for the neighbours of this border router (RFC 9031 §7.1).

    ``join_rate_bytes_per_s``: ``None`` is one packet in three seconds. With ``pledge_id`` and
    ``psk_file`` the proxy joins as a 6LBR and is told rate and blocklist (RFC 9031 §8.4.2);
    ``network_id`` is what it names in its request, ``state_file`` what it must never forget (beside
    ``psk_file`` if None). ``network``: in `jrc run`, whose rate and revoked pledges count.
    ``blocklist``: identifiers that are dropped whatever else is told (RFC 9031 §8.4.2).
    """

    interface: _Interface
    jrc: Annotated[_CoapEndpoint, AfterValidator(_with_port)]
    network: _Name | None = None
    join_rate_bytes_per_s: Annotated[int, Field(ge=0, le=2**32)] | None = None
    pledge_id: Annotated[str, AfterValidator(_pledge_id)] | None = None
    psk_file: _File | None = None
    network_id: Annotated[str, AfterValidator(_network_id)] | None = None
    state_file: _File | None = None
    blocklist: Annotated[
        tuple[Annotated[str, AfterValidator(_pledge_id)], ...],
        BeforeValidator(_as_tuple),
        Field(max_length=4096),
    ] = ()

    @model_validator(mode="after")
    def _one_source_of_the_rate(self) -> Self:
        if (self.pledge_id is None) != (self.psk_file is None):
            raise ValueError("proxy.pledge_id and proxy.psk_file go together")
        if self.pledge_id is not None and self.join_rate_bytes_per_s is not None:
            raise ValueError("proxy.join_rate_bytes_per_s and proxy.pledge_id exclude each other")
        if self.pledge_id is None and (self.network_id, self.state_file) != (None, None):
            raise ValueError("proxy.network_id and proxy.state_file go with proxy.pledge_id")
        return self


class Rollover(_Section):
    """``[rollover]``: the pace of a change of link-layer keys (RFC 9031 §7.2, §8.4.3.1, §8.5)."""

    ack_timeout_s: _Seconds = 10.0
    guard_time_s: _Seconds = 12.0
    deadline_s: _Seconds = 3600.0
    quorum: Annotated[float, Field(ge=0.9, le=1.0)] = 1.0
    random_factor: Annotated[float, Field(ge=1.0, le=3.0)] = 1.5
    max_retransmit: Annotated[int, Field(ge=0, le=10)] = 4
    retry_s: _Seconds = 300.0
    retry_max_s: _Seconds = 3600.0
    rate_bytes_per_s: Annotated[int, Field(ge=1)] = 200
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = 8
    every_days: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    on_6lbr_join: Literal["fresh", "rollover", "keep"] = "fresh"


class Installer(_Section):
    """``[[installer]]``: how a 6LBR that is no CoJP node gets its link-layer keys.

    ``name`` tells the installers of one network apart; it is ``kind`` where it is left out.
    After a failure it is tried again in ``retry_s``, then in twice as long, up to ``retry_max_s``.
    """

    network: _Name
    kind: Literal["exec", "linux"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = ""
    command: (
        Annotated[tuple[_Argument, ...], BeforeValidator(_command), Field(min_length=1)] | None
    ) = None
    interface: _Interface | None = None
    timeout_s: Annotated[float, Field(gt=0, le=MAX_INSTALLER_TIMEOUT_S)] = 30.0
    retry_s: _Seconds = 5.0
    retry_max_s: _Seconds = 300.0

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: object) -> object:
        if isinstance(given, dict) and isinstance(given.get("kind"), str):
            return {"name": given["kind"], **given}
        return given

    @model_validator(mode="after")
    def _what_its_kind_needs(self) -> Self:
        if (self.kind == "exec") != (self.command is not None):
            raise ValueError('installer.command belongs to kind = "exec", which needs it')
        if (self.kind == "linux") != (self.interface is not None):
            raise ValueError('installer.interface belongs to kind = "linux", which needs it')
        if self.retry_max_s < self.retry_s:
            raise ValueError("installer.retry_max_s is less than installer.retry_s")
        return self


class Lab(_Section):
    """``[lab]``: what only a lab may have; the daemon warns of it at each start.

    ``allow_weak_keys`` takes PSKs that are published or can be computed (RFC 9031 §9 forbids them):
    development firmware has such a one compiled in.
    """

    allow_weak_keys: bool = False


class Settings(_Section):
    """All settings, with absolute paths. ``metrics``, ``proxy``: ``None`` is off."""

    coap: Coap = Coap()
    database: Database = Database()
    keys: Keys = Keys()
    admin: Admin = Admin()
    instance: Instance = Instance()
    metrics: Metrics | None = None
    log: Log = Log()
    proxy: Proxy | None = None
    rollover: Rollover = Rollover()
    installer: Annotated[tuple[Installer, ...], BeforeValidator(_as_tuple)] = ()
    lab: Lab = Lab()

    @property
    def instance_file(self) -> Path:
        """The instance file: as configured, else beside the SQLite file."""
        if self.instance.file is not None:
            return self.instance.file
        assert self.database.file is not None, "checked when the settings were read"
        return self.database.file.with_suffix(".instance")

    @property
    def state_dir(self) -> Path:
        """The folder that one process at a time may change."""
        return (self.database.file or self.instance_file).parent

    @property
    def named_networks(self) -> dict[str, str]:
        """Networks that the file names, by key; the database may lack them, which then wait."""
        named = {f"installer[{n}].network": each.network for n, each in enumerate(self.installer)}
        if self.proxy is not None and self.proxy.network is not None:
            named["proxy.network"] = self.proxy.network
        return named

    @model_validator(mode="after")
    def _installers_are_apart(self) -> Self:
        names = [(each.network, each.name) for each in self.installer]
        if len(set(names)) != len(names):
            raise ValueError("installer.name: two installers of one network need names that differ")
        return self

    @model_validator(mode="after")
    def _radios_are_apart(self) -> Self:
        radios = [each.interface for each in self.installer if each.interface is not None]
        if len(set(radios)) != len(radios):
            raise ValueError("installer.interface: one radio is given to two installers")
        return self

    @model_validator(mode="after")
    def _files_are_apart(self) -> Self:
        if self.database.file is None and self.instance.file is None:
            raise ValueError(
                "instance.file is needed with a database server, in a folder that backups leave out"
            )
        named = {
            "database.url": self.database.file,
            "instance.file": self.instance_file,
            "keys.kek_file": self.keys.kek_file,
            "admin.socket": self.admin.socket,
        }
        seen: dict[Path, str] = {}
        for key, file in named.items():
            if file is not None and (other := seen.setdefault(file, key)) != key:
                raise ValueError(f"{other} and {key} name the same file")
        return self
