"""The sections of the config file, and which values of one go together.

A message of a ``ValueError`` here goes on where the key's name ends; it never repeats the value,
since what stands in the wrong place may be a key.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from jrc.config.values import (
    AnyEndpoint,
    CoapEndpoint,
    CoapPeer,
    DatabaseUrl,
    Endpoint,
    Expression,
    File,
    GroupName,
    Groups,
    HostName,
    InterfaceName,
    LoopbackEndpoint,
    NetworkIdHex,
    NetworkName,
    PageEndpoint,
    PledgeIdHex,
    Program,
    Seconds,
    SocketFile,
    ValueExpression,
    as_tuple,
)

MAX_INSTALLER_TIMEOUT_S = 240
"""`jrc network install` waits for one run that is under way and for its own."""


class Section(BaseModel):
    """Takes no unknown key, and shows no value in its errors."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, hide_input_in_errors=True, defer_build=False
    )


class Coap(Section):
    """``[coap]``: where join requests arrive, and whether copies get the stored answer again."""

    listen: Annotated[
        tuple[CoapEndpoint, ...], BeforeValidator(as_tuple), Field(min_length=1, max_length=64)
    ] = (Endpoint("::", 5683),)
    retransmit_cache: bool = True

    @model_validator(mode="after")
    def _no_address_twice(self) -> Self:
        fixed = [e for e in self.listen if e.port]
        if len(set(fixed)) != len(fixed):
            raise ValueError("coap.listen names one address and port twice")
        return self

    @model_validator(mode="after")
    def _no_address_beside_all(self) -> Self:
        """The kernel gives a port at every address to one socket, and to no other at one."""
        everywhere = {e.port for e in self.listen if e.port and e.address.is_unspecified}
        if any(e.port in everywhere and not e.address.is_unspecified for e in self.listen):
            raise ValueError("coap.listen names a port at every address, and at one of them too")
        return self


class Database(Section):
    """``[database]``: the URL of the one authoritative store; it may hold a password."""

    url: Annotated[DatabaseUrl, Field(repr=False)] = "sqlite:////var/lib/jrc/jrc.db"

    @property
    def file(self) -> Path | None:
        """The SQLite file, or ``None`` with a database server."""
        _, sqlite, name = self.url.partition("sqlite:///")
        return Path(name) if sqlite else None


class Keys(Section):
    """``[keys]``: where the key of this host's slot is (docs/keys.md). One of the two is set."""

    kek_file: File | None = None
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


class Admin(Section):
    """``[admin]``: the Unix socket on which the CLI talks to the daemon, and who may use it.

    ``group`` owns the socket. ``..._groups``: whose members may do what (docs/api.md); where none
    is named, whoever may connect may do everything.
    """

    socket: SocketFile = Path("/run/jrc/admin.sock")
    group: GroupName | None = None
    read_groups: Groups = ()
    import_groups: Groups = ()
    operate_groups: Groups = ()
    admin_groups: Groups = ()


class Api(Section):
    """``[api]``: the admin API on TCP where it is present, with TLS and tokens (docs/api.md)."""

    listen: AnyEndpoint = Endpoint("::", 9633)
    certificate: File
    private_key: File


class Instance(Section):
    """``[instance]``: the file that tells an old copy of the database; it stays out of backups."""

    file: File | None = None


class Backup(Section):
    """``[backup]``: whom backups are sealed for, and where scheduled ones go.

    ``directory``: ``None`` makes none by itself. ``key_file`` is what `jrc backup keygen` makes;
    ``recipients`` are X25519 recipients of the age format. The newest ``keep`` files stay.
    """

    directory: File | None = None
    every_h: Annotated[float, Field(gt=0, le=8760, allow_inf_nan=False)] = 24.0
    keep: Annotated[int, Field(ge=1, le=10_000)] = 14
    key_file: File | None = None
    recipients: Annotated[
        tuple[Annotated[str, Field(pattern=r"^age1[0-9a-z]+$", max_length=4096)], ...],
        BeforeValidator(as_tuple),
        Field(max_length=8),
    ] = ()

    @model_validator(mode="after")
    def _sealed_for_somebody(self) -> Self:
        if self.directory is not None and self.key_file is None and not self.recipients:
            raise ValueError(
                "backup.directory needs backup.key_file or backup.recipients: somebody has to be"
                " able to open what is put there"
            )
        return self


class Handover(Section):
    """``[handover]``: what opens sealed files, and whose are taken (docs/handover.md)."""

    key: File | None = None
    builders: Annotated[tuple[File, ...], BeforeValidator(as_tuple), Field(max_length=64)] = ()


class Events(Section):
    """``[events]``: how long the audit log is kept; ``keep_days`` = 0 is for ever.

    The last ``keep_at_least`` events stay, however old they are.
    """

    keep_days: Annotated[float, Field(ge=0, le=36_500, allow_inf_nan=False)] = 0
    keep_at_least: Annotated[int, Field(ge=0, le=2**53)] = 100_000


class Metrics(Section):
    """``[metrics]``: serves ``/metrics``, ``/healthz`` and ``/readyz`` where it is present.

    ``hosts``: names with a dot by which it may be asked, where it listens on loopback.
    """

    listen: AnyEndpoint = Endpoint("127.0.0.1", 9631)
    hosts: Annotated[tuple[HostName, ...], BeforeValidator(as_tuple), Field(max_length=64)] = ()


class Page(Section):
    """``[page]``: the page on a port of loopback, for browsers (docs/page.md).

    On the admin socket it is in any case.
    """

    listen: PageEndpoint = Endpoint("127.0.0.1", 9632)


class Clock(Section):
    """``[clock]``: whether a time service has to set the clock first (docs/clock.md)."""

    wait_for_synchronisation: bool = False


class Log(Section):
    """``[log]``: ``auto`` is the journal's form under systemd, console on a terminal, else JSON."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["auto", "console", "json"] = "auto"


class Proxy(Section):
    """``[proxy]``: a Join Proxy for the neighbours of this border router (RFC 9031 §7.1).

    ``join_rate_bytes_per_s``: ``None`` is one packet in three seconds. With ``pledge_id`` and
    ``psk_file`` the proxy joins as a 6LBR and is told rate and blocklist (RFC 9031 §8.4.2);
    ``network_id`` is what it names in its request, ``state_file`` what it must never forget (beside
    ``psk_file`` if None). ``network``: in `jrc run`, whose rate and revoked pledges count.
    ``blocklist``: identifiers that are dropped whatever else is told (RFC 9031 §8.4.2).
    """

    interface: InterfaceName
    jrc: CoapPeer
    network: NetworkName | None = None
    join_rate_bytes_per_s: Annotated[int, Field(ge=0, le=2**32)] | None = None
    pledge_id: PledgeIdHex | None = None
    psk_file: File | None = None
    network_id: NetworkIdHex | None = None
    state_file: File | None = None
    blocklist: Annotated[
        tuple[PledgeIdHex, ...],
        BeforeValidator(as_tuple),
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


class Rollover(Section):
    """``[rollover]``: the pace of a change of link-layer keys (RFC 9031 §7.2, §8.4.3.1, §8.5)."""

    ack_timeout_s: Seconds = 10.0
    guard_time_s: Seconds = 12.0
    deadline_s: Seconds = 3600.0
    quorum: Annotated[float, Field(ge=0.9, le=1.0)] = 1.0
    random_factor: Annotated[float, Field(ge=1.0, le=3.0)] = 1.5
    max_retransmit: Annotated[int, Field(ge=0, le=10)] = 4
    retry_s: Seconds = 300.0
    retry_max_s: Seconds = 3600.0
    rate_bytes_per_s: Annotated[int, Field(ge=1)] = 200
    in_flight: Annotated[int, Field(ge=1, le=10_000)] = 8
    every_days: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0
    on_6lbr_join: Literal["fresh", "rollover", "keep"] = "fresh"


class Installer(Section):
    """``[[installer]]``: how a 6LBR that is no CoJP node gets its link-layer keys.

    ``name`` tells the installers of one network apart; it is ``kind`` where it is left out.
    ``helper``: the socket of whoever sets the radio's keys, where the daemon may not (`jrc wpan`).
    After a failure it is tried again in ``retry_s``, then in twice as long, up to ``retry_max_s``.
    """

    network: NetworkName
    kind: Literal["exec", "linux"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")] = ""
    command: Program | None = None
    interface: InterfaceName | None = None
    helper: SocketFile | None = None
    timeout_s: Annotated[float, Field(gt=0, le=MAX_INSTALLER_TIMEOUT_S)] = 30.0
    retry_s: Seconds = 5.0
    retry_max_s: Seconds = 300.0

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
        if self.helper is not None and self.kind != "linux":
            raise ValueError('installer.helper belongs to kind = "linux"')
        if self.retry_max_s < self.retry_s:
            raise ValueError("installer.retry_max_s is less than installer.retry_s")
        return self


class ConsolePattern(Section):
    """``[[provision.pattern]]``: what firmware prints that `jrc provision watch` looks for.

    ``boot`` is searched for in each line and tells that a board has started; ``device_id`` and
    ``identity`` have the bytes in the group ``value``. One by the name of a pattern that ships
    takes its place (docs/consoles.md).
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    boot: Expression
    device_id: ValueExpression | None = None
    identity: ValueExpression | None = None

    @model_validator(mode="after")
    def _finds_something(self) -> Self:
        if self.device_id is None and self.identity is None:
            raise ValueError("provision.pattern needs device_id or identity, or both")
        return self


class Provision(Section):
    """``[provision]``: what is looked for on consoles of devices (docs/consoles.md)."""

    pattern: Annotated[
        tuple[ConsolePattern, ...], BeforeValidator(as_tuple), Field(max_length=32)
    ] = ()

    @model_validator(mode="after")
    def _names_are_apart(self) -> Self:
        names = [each.name for each in self.pattern]
        if len(set(names)) != len(names):
            raise ValueError("provision.pattern: two of them have one name")
        return self


class Lab(Section):
    """``[lab]``: what only a lab may have; the daemon warns of it at each start.

    ``allow_weak_keys`` takes PSKs that are published or can be computed (RFC 9031 §9 forbids them):
    development firmware has such a one compiled in. ``nodes``: where all Parameter Updates go in
    place of the nodes' own addresses, to those of `jrc lab join` on this host.
    """

    allow_weak_keys: bool = False
    nodes: LoopbackEndpoint | None = None
