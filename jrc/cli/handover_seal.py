"""``jrc handover keygen``, ``seal`` and ``show``: what they do."""

import shlex
from contextlib import nullcontext
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import typer

from jrc.cli import output
from jrc.cli.handover_files import private_key, public_keys, refuse_there, sealed_file
from jrc.cli.import_options import Format
from jrc.cli.imports import mapping, tell_errors
from jrc.cli.keyfiles import STDIN, open_input
from jrc.cli.options import Common
from jrc.cli.reporting import say
from jrc.cli.written_files import refuse_own_files
from jrc.clock import SystemClock
from jrc.errors import ExitCode, OperatorError
from jrc.handover.envelope import MAX_CONTENT_BYTES, Cover
from jrc.handover.keys import new_key
from jrc.handover.role import Role
from jrc.handover.rows import Packing
from jrc.handover.sealing import MAX_LIFE_S, look, new_serial, seal
from jrc.provision.writing import NewFile, publish
from jrc.service.handovers import SERIAL, fingerprint_text
from jrc.service.import_file import FileReader, format_of
from jrc.service.import_rows import Names
from jrc.service.windows import parse_duration
from jrc.service.wording import counted, utc_text

_PIECE_BYTES = 64 * 1024
_PUBLIC = ".pub"
_PUBLIC_MODE = 0o644
_COVER = {
    "builder": "sealed by",
    "signature": "signature",
    "registrar": "for",
    "serial": "serial",
    "rows": "devices",
    "made": "made",
    "expires": "expires",
    "sha256": "SHA-256",
}


class Sealing(NamedTuple):
    """What is to be sealed, as it was said on the command line."""

    file: str
    to: str
    key: str
    out: Path
    expires: str
    serial: str | None
    form: Format | None
    mapped: list[str]


def make_key(asked: Common, role: Role, out: Path, *, as_json: bool) -> None:
    """Two files, and the fingerprint that both sides compare."""
    if out.suffix == _PUBLIC:
        raise typer.BadParameter(
            f"--out {out}: files with public keys end in {_PUBLIC}, and this one gets the private"
            f" key; say --out {out.with_suffix('')}"
        )
    public = out.with_name(f"{out.name}{_PUBLIC}")
    for path in (out, public):
        refuse_own_files(path, asked)
        refuse_there(path)
    key = new_key(role)
    publish(
        [
            NewFile(out, key.pem().reveal()),
            NewFile(public, key.public.pem(), _PUBLIC_MODE),
        ]
    )
    if as_json:
        made = {"role": role.value, "private_key": str(out), "public_key": str(public)}
        output.document({**made, "fingerprint": key.public.fingerprint})
        return
    output.line(key.public.fingerprint)
    _say_next(role, out, public)


def _say_next(role: Role, out: Path, public: Path) -> None:
    say(f"the private key is in {out}: nobody else may read it")
    other = Role.BUILDER if role is Role.REGISTRAR else Role.REGISTRAR
    say(f"next: give {public} to the {other}, and compare the fingerprint by telephone")


def seal_file(asked: Common, wanted: Sealing, *, as_json: bool) -> None:
    """The sealed file, if each row is good."""
    life_s = _life_s(wanted.expires)
    serial = _serial(wanted.serial)
    refuse_own_files(wanted.out, asked)
    refuse_there(wanted.out)
    builder = private_key(wanted.key, Role.BUILDER)
    (registrar,) = public_keys([wanted.to], Role.REGISTRAR)
    packing = _packed(wanted, as_json=as_json)
    now_s = SystemClock().now_ms() // 1000
    ids = builder.public.key_id, registrar.key_id
    cover = Cover(*ids, serial, now_s, now_s + life_s, packing.rows)
    sealed = seal(packing.content(), cover, builder, registrar)
    publish([NewFile(wanted.out, sealed)])
    _tell_sealed(cover, wanted.out, sealed, as_json=as_json)


def _life_s(text: str) -> int:
    try:
        life_s = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"--expires: {error}") from None
    if not 1 <= life_s <= MAX_LIFE_S:
        raise typer.BadParameter(f"--expires is 1s to {MAX_LIFE_S // 86_400}d")
    return life_s


def _serial(given: str | None) -> str:
    if given is not None and SERIAL.fullmatch(given) is None:
        raise typer.BadParameter(
            "--serial is 1 to 64 letters, digits, '.', '_' and '-', and begins with a letter or a"
            " digit"
        )
    return new_serial() if given is None else given


def _packed(wanted: Sealing, *, as_json: bool) -> Packing:
    """The rows of a file, all good."""
    file = wanted.file
    reader = FileReader(
        format_of(
            "" if file == STDIN else file, None if wanted.form is None else wanted.form.value
        ),
        Names(mapping(wanted.mapped)),
    )
    packing = Packing()
    content = open_input(file)
    with nullcontext() if file == STDIN else content:
        while piece := content.read(_PIECE_BYTES):
            packing.add(reader.feed(piece))
            if packing.is_full:
                raise _too_many(file)
        packing.add(reader.finish())
    if packing.is_full:
        raise _too_many(file)
    _refuse_faults(packing, file, as_json=as_json)
    return packing


def _too_many(file: str) -> OperatorError:
    return OperatorError(
        f"{file} has more devices than a sealed file holds ({MAX_CONTENT_BYTES} bytes); nothing"
        " was sealed",
        "seal them in several files",
        exit_code=ExitCode.REFUSED,
    )


def _refuse_faults(packing: Packing, file: str, *, as_json: bool) -> None:
    if packing.fault_count:
        faults = [fault._asdict() for fault in packing.faults]
        if as_json:
            output.json_array(faults)
        else:
            tell_errors(faults)
        raise OperatorError(
            f"{counted(packing.fault_count, 'error')} in {file}; nothing was sealed",
            "mend them, and seal it again",
        )
    if not packing.rows:
        raise OperatorError(
            f"{file} has no rows; nothing was sealed",
            "`jrc pledge generate` makes such a file",
            exit_code=ExitCode.USAGE,
        )


def _tell_sealed(cover: Cover, out: Path, sealed: bytes, *, as_json: bool) -> None:
    shown = _shown(cover, sealed)
    if as_json:
        output.document({"file": str(out), **shown})
        return
    say(f"{counted(cover.rows, 'device')} sealed in {out}, serial {cover.serial}")
    say(f"only the registrar {shown['registrar']} can open it, once, until {shown['expires']}")
    name = shlex.quote(out.name)
    say(f"next, at the registrar: jrc handover open {name} --key FILE --from BUILDER.pub")


def _shown(cover: Cover, sealed: bytes) -> dict[str, object]:
    return {
        "builder": fingerprint_text(cover.builder),
        "registrar": fingerprint_text(cover.registrar),
        "serial": cover.serial,
        "rows": cover.rows,
        "made": utc_text(cover.made_at_s * 1000),
        "expires": utc_text(cover.expires_at_s * 1000),
        "sha256": sha256(sealed).hexdigest(),
    }


def show_file(file: str, builders: list[str], *, as_json: bool) -> None:
    """What stands on the cover of a sealed file."""
    trusted = public_keys(builders, Role.BUILDER)
    data, name = sealed_file(file)
    seen = look(data, name, trusted)
    verified = "verified" if seen.is_verified else "not verified: say --from FILE"
    shown = _shown(seen.cover, data)
    if as_json:
        output.document({**shown, "is_verified": seen.is_verified})
    else:
        output.fields({**shown, "signature": verified}, _COVER, as_json=False)
