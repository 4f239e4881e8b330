"""``jrc identity export``: devices' public credentials as other programs take them."""

import json
import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from jrc.cli.client import connect
from jrc.cli.options import PledgesOfNetwork, common, given
from jrc.cli.output import Record
from jrc.cli.reporting import say
from jrc.cli.written_files import refuse_own_files
from jrc.errors import ExitCode, OperatorError
from jrc.model import PledgeId, PledgeState
from jrc.provision.public_keys import (
    Access,
    PublicDevice,
    UnreachedError,
    access_of,
    aiocoap_diag,
    host_of,
    peers_yml,
)
from jrc.provision.writing import NewFile, publish
from jrc.service.wording import counted

STDIO = "-"
_PUBLIC_MODE = 0o644
_GONE = {
    PledgeState.REVOKED.value,
    PledgeState.SUPERSEDED.value,
    PledgeState.TRANSFERRED.value,
    PledgeState.DAMAGED.value,
}
"""States of pledges whose devices nobody is to trust."""


class Form(StrEnum):
    """Names as they are given."""

    PEERS = "peers"
    AIOCOAP = "aiocoap"
    JSON = "json"


def export(
    context: typer.Context,
    form: Annotated[
        Form,
        typer.Option("--format", help="peers (Ariel OS), aiocoap (its client), json (all of it)."),
    ],
    out: Annotated[
        str, typer.Option("--out", metavar="FILE|-", help="A file; - is standard output.")
    ],
    network: PledgesOfNetwork = None,
    id_: Annotated[
        list[str] | None,
        typer.Option("--id", metavar="ID", help="This device. May be repeated. [all]"),
    ] = None,
    scope: Annotated[
        list[str] | None,
        typer.Option(
            "--scope",
            metavar="RULE",
            help="For peers: what they may use: allow-all, or /path=GET,PUT. May be repeated.",
        ),
    ] = None,
    host_pattern: Annotated[
        str | None,
        typer.Option(
            "--host-pattern",
            metavar="HOST",
            help="For aiocoap: the host, {id} for the device. [the address that the node has]",
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a file that is there.")
    ] = False,
) -> None:
    """Write the credentials in force. They are public: no key of the registrar is among them.

    Devices whose pledge was revoked or replaced are left out. peers is a peers.yml for firmware of
    Ariel OS: whoever shows one of the keys gets the scope. aiocoap is a file (.diag) for
    `aiocoap-client --credentials`: who answers at a device's address has to show its key.

    \b
    Examples:
      jrc identity export --format peers --scope /sensors=GET --out peers.yml
      jrc identity export --format aiocoap --network lab --out lab.diag
      jrc identity export --format aiocoap --host-pattern "{id}.lab.example" --out lab.diag
      jrc identity export --format json --out -
    """
    access = _access(form, scope or ())
    if host_pattern is not None and form is not Form.AIOCOAP:
        raise typer.BadParameter("--host-pattern goes with --format aiocoap")
    wanted = _identifiers(id_ or ())
    asked = common(context)
    if out != STDIO:
        refuse_own_files(Path(out), asked)
    with connect(asked) as api:
        listed = list(api.pages("/v1/identities", given(network=network), "identities"))
    found = _chosen(listed, wanted)
    text, count = _text(form, found, access, host_pattern)
    if out == STDIO:
        sys.stdout.write(text)
        return
    publish([NewFile(Path(out), text, _PUBLIC_MODE)], overwrite=overwrite)
    say(f"{counted(count, 'identity').replace('identitys', 'identities')} in {out}")


def _access(form: Form, scope: Sequence[str]) -> Access:
    if form is not Form.PEERS:
        if scope:
            raise typer.BadParameter("--scope goes with --format peers")
        return None
    try:
        return access_of(scope)
    except ValueError as error:
        raise typer.BadParameter(f"--scope: {error}") from None


def _identifiers(given_: Sequence[str]) -> set[str]:
    try:
        return {str(PledgeId.from_hex(text)) for text in given_}
    except ValueError:
        raise typer.BadParameter("--id is no identifier in hex") from None


def _chosen(listed: Iterable[Record], wanted: set[str]) -> list[Record]:
    """Those asked for, without devices that nobody is to trust any more, which is said."""
    asked = [each for each in listed if not wanted or each["pledge_id"] in wanted]
    if missing := wanted - {str(each["pledge_id"]) for each in asked}:
        raise OperatorError(
            f"no identity of device {min(missing)} is in force",
            "`jrc identity list` shows those that are",
        )
    gone = [each for each in asked if each["state"] in _GONE]
    for each in gone:
        say(f"{each['pledge_id']}: left out, its pledge is {each['state']}")
    return [each for each in asked if each["state"] not in _GONE]


def _text(
    form: Form, found: Sequence[Record], access: Access, pattern: str | None
) -> tuple[str, int]:
    """What is written, and of how many devices."""
    if form is Form.JSON:
        return json.dumps({"identities": found}, indent=2) + "\n", len(found)
    devices = [_device(each) for each in found]
    if form is Form.PEERS:
        return peers_yml(devices, access), len(devices)
    hosts: dict[str, str] = {}
    for each in devices:
        try:
            hosts[each.identifier] = host_of(each, pattern)
        except UnreachedError:
            say(f"{each.identifier}: left out, it has not joined, so its address is not known")
    if not hosts:
        raise OperatorError(
            "no device is left whose address is known; nothing was written",
            "let them join first, or name their hosts: --host-pattern '{id}.lab.example'",
            exit_code=ExitCode.FAILED,
        )
    if len(set(hosts.values())) < len(hosts):
        raise typer.BadParameter("--host-pattern gives two devices one host: put {id} into it")
    reached = [each for each in devices if each.identifier in hosts]
    return aiocoap_diag(reached, hosts), len(reached)


def _device(each: Record) -> PublicDevice:
    address = each["address"]
    return PublicDevice(
        identifier=str(each["pledge_id"]),
        credential=bytes.fromhex(str(each["credential"])),
        label=str(each["label"] or ""),
        address=None if address is None else str(address),
    )
