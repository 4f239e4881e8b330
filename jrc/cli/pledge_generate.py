"""``jrc pledge generate``: keys for devices, in the form that their build takes."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from jrc.cli.generated import STDOUT, tell
from jrc.cli.generated_files import Target, refuse_no_import, write
from jrc.cli.identifiers import listed_in
from jrc.cli.import_options import refuse_networks
from jrc.cli.keyfiles import STDIN
from jrc.cli.options import AeadName, AsJson, HkdfName, common, refuse_undecoded
from jrc.cli.written_files import refuse_own_files
from jrc.cojp.algorithms import aead_by_name, hkdf_by_name
from jrc.model import PledgeId, Profile
from jrc.provision import identifiers
from jrc.provision.device import USUAL, Algorithms, Device
from jrc.provision.forms import Form
from jrc.provision.generate import generate as make_keys
from jrc.provision.keeping import kept
from jrc.provision.source import KeySource
from jrc.service.applicants import UnfitError, check_label
from jrc.service.wording import parse_role, role_name


class _Which(NamedTuple):
    """Which devices are asked for."""

    number: int | None
    prefix: str | None
    single: Sequence[str]
    listed: str | None


def generate(
    context: typer.Context,
    out: Annotated[
        str,
        typer.Option(
            "--out",
            metavar="FILE|FOLDER|-",
            help="A folder for a build's files of several devices; - shows the keys.",
        ),
    ],
    form: Annotated[Form, typer.Option("--format", help="How --out is written.")],
    count: Annotated[
        int | None,
        typer.Option(
            "--count",
            metavar="N",
            help="Devices without an identifier yet: each gets a random EUI-64, which is locally"
            " administered and individual.",
        ),
    ] = None,
    prefix: Annotated[
        str | None,
        typer.Option("--prefix", metavar="HEX", help="With --count: how identifiers begin."),
    ] = None,
    id_: Annotated[
        list[str] | None, typer.Option("--id", metavar="ID", help="In hex; may be repeated.")
    ] = None,
    ids: Annotated[
        str | None, typer.Option("--ids", metavar="FILE|-", help="Identifiers, one a line.")
    ] = None,
    import_file: Annotated[
        str | None,
        typer.Option(
            "--import-file",
            metavar="FILE",
            help="What the registrar imports, where --format is for a build: CSV, or as its name"
            " ends: .json, .yaml, .cose.",
        ),
    ] = None,
    derived: Annotated[
        bool,
        typer.Option(
            "--derived",
            help="RFC 9031 App. B: derived keys, so that devices need no HKDF. They have no PSK"
            " then, and can't do RFC 8613 App. B.2: one that lost its context needs a new key.",
        ),
    ] = False,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            "--keep",
            metavar="FILE",
            help="Take the keys from this file of keys of before; needs --state.",
        ),
    ] = None,
    state: Annotated[
        list[str] | None,
        typer.Option("--state", metavar="FILE|-", help="What `jrc pledge show ID --json` says."),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option("--network", metavar="NAME", help="For the import; may be repeated."),
    ] = None,
    role: Annotated[str | None, typer.Option(help="For the import: 6ln or 6lbr.")] = None,
    profile: Annotated[Profile | None, typer.Option(help="For the import.")] = None,
    label: Annotated[str | None, typer.Option(help="For the import: the same for each.")] = None,
    aead: AeadName = None,
    hkdf: HkdfName = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files that are there, keys and all.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key for each device: a file for its build, and one for the registrar.

    Needs no daemon and no config. Files get mode 0600 and come all or none. A device that has a key
    gets a new one, which supersedes it; with --keep it keeps its key, and its numbers go on.

    csv, json, yaml and cose (a COSE_KeySet) are for the registrar, and one file for all devices. c,
    rust, cmake and laze are for builds, and a file for each.

    \b
    Examples:
      jrc pledge generate --count 20 --format csv --out pledges.csv
      jrc pledge generate --ids ids.txt --format c --out keys/ --import-file pledges.csv
      jrc pledge generate --id 00124b0014b5b67e --derived --format rust --out key.rs \\
          --import-file pledges.csv && ssh router jrc pledge import - < pledges.csv
      ssh router jrc pledge show 00124b0014b5b67e --json > state.json
      jrc pledge generate --keep pledges.csv --state state.json --format c --out keys/
    """
    which = _Which(count, prefix, id_ or (), ids)
    target = Target(form, out, import_file)
    settings = import_columns(network or (), role, profile, label)
    algorithms = _algorithms(aead, hkdf)
    if as_json and out == STDOUT:
        raise typer.BadParameter("--json and --out - would both take standard output")
    if keep or state:
        if settings or algorithms != USUAL:
            raise typer.BadParameter("with --keep a device keeps its settings and algorithms")
        devices = _kept(which, keep or (), state or (), derived=derived)
    else:
        refuse_no_import(target)
        source = KeySource()
        devices = make_keys(
            _identifiers(which, source), source, algorithms, settings, derived=derived
        )
    for name in {out, import_file} - {STDOUT, None}:
        if name is not None and not Path(name).is_dir():
            refuse_own_files(Path(name), common(context))
    made = write(target, devices, is_kept=bool(keep), overwrite=overwrite)
    tell(made, as_json=as_json)


def _identifiers(which: _Which, source: KeySource) -> list[PledgeId]:
    given = (which.number is not None) + bool(which.single) + (which.listed is not None)
    if given != 1:
        raise typer.BadParameter("say which devices with one of --count, --id and --ids")
    if which.number is None:
        if which.prefix is not None:
            raise typer.BadParameter("--prefix goes with --count")
        return _listed(which)
    return identifiers.drawn(source, which.number, _prefix(which.prefix))


def _listed(which: _Which) -> list[PledgeId]:
    refuse_undecoded("--id", which.single)
    return identifiers.checked(which.single if which.listed is None else listed_in(which.listed))


def _prefix(text: str | None) -> bytes:
    try:
        return b"" if text is None else bytes.fromhex(text.replace(":", "").replace("-", ""))
    except ValueError:
        raise typer.BadParameter("--prefix is not hex") from None


def _kept(
    which: _Which, keep: Sequence[str], state: Sequence[str], *, derived: bool
) -> list[Device]:
    """The devices asked for, all of the former output where none is named."""
    from jrc.cli.kept_keys import devices_from, known_in

    if not keep:
        raise typer.BadParameter("--state goes with --keep")
    if which.number is not None or which.prefix is not None or (which.single and which.listed):
        raise typer.BadParameter("with --keep, say which devices by --id or --ids, or take all")
    if [*keep, *state, which.listed].count(STDIN) > 1:
        raise typer.BadParameter("standard input can be one of --keep, --state and --ids")
    former = devices_from(keep)
    named = which.single or which.listed is not None
    wanted = _listed(which) if named else [device.identifier for device in former.values()]
    devices = kept(former, wanted, known_in(state))
    return [device.without_psk() for device in devices] if derived else devices


def import_columns(
    networks: Sequence[str],
    role: str | None,
    profile: Profile | None = None,
    label: str | None = None,
) -> dict[str, str]:
    """The columns that an import takes, refused here where it would refuse them."""
    for option, value in (("--network", networks), ("--label", label)):
        refuse_undecoded(option, value)
    try:
        roles = () if role is None else (role_name(parse_role(role)),)
        check_label(label or "")
    except (ValueError, UnfitError) as error:
        raise typer.BadParameter(str(error)) from None
    refuse_networks(networks)
    found = {"network": ";".join(networks), "role": "".join(roles), "label": label or ""}
    found["profile"] = "" if profile is None else profile.value
    return {column: value for column, value in found.items() if value}


def _algorithms(aead: str | None, hkdf: str | None) -> Algorithms:
    try:
        return Algorithms(
            USUAL.aead if aead is None else aead_by_name(aead),
            USUAL.hkdf if hkdf is None else hkdf_by_name(hkdf),
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
