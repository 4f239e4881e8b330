"""The files that `jrc pledge generate` writes, in one go."""

import sys
from pathlib import Path
from typing import NamedTuple

import typer

from jrc.cli.generated import STDOUT, Made
from jrc.errors import ExitCode, OperatorError
from jrc.provision.device import Device
from jrc.provision.forms import BUILD_FORMS, RECORD_FORMS, Form, check_ending, record_form_of
from jrc.provision.writing import NewFile, publish


class Target(NamedTuple):
    """Where what is made goes: ``-`` is standard output."""

    form: Form
    out: str
    import_file: str | None


def refuse_no_import(target: Target) -> None:
    """One run makes both files, so that no device is built whose key the registrar can't get."""
    if target.form in BUILD_FORMS and target.import_file is None:
        raise OperatorError(
            f"--format {target.form} is for the build alone, and the registrar needs the keys too",
            "say --import-file FILE for what `jrc pledge import` takes",
            exit_code=ExitCode.USAGE,
        )


def write(target: Target, devices: list[Device], *, is_kept: bool, overwrite: bool) -> Made:
    """Write all of the files or none; what was made.

    Raises:
        OperatorError: one is there and was not to be overwritten, or can't be written.
    """
    files = _out_files(target, devices)
    made = [*files]
    if target.import_file is not None:
        if target.form in RECORD_FORMS or target.import_file == STDOUT:
            raise typer.BadParameter("--import-file names a file beside those of a build")
        form = record_form_of(target.import_file)
        check_ending(form, target.import_file)
        # The last, so that its being there says that all are.
        made.append(NewFile(Path(target.import_file), RECORD_FORMS[form](devices)))
    if len({_place(file.path) for file in made}) < len(made):
        raise typer.BadParameter("--out and --import-file name the same file")
    shown = _text(target, devices) if target.out == STDOUT else ""
    publish(made, overwrite=overwrite, between=lambda: _show(shown))
    return Made(devices, [str(file.path) for file in files], target.out, _imported(target), is_kept)


def _place(path: Path) -> Path:
    """Where a file comes to be; a link at its own name is replaced, and not followed."""
    return path.parent.resolve() / path.name


def _imported(target: Target) -> str | None:
    """The file that goes to the registrar."""
    return target.out if target.form in RECORD_FORMS else target.import_file


def _out_files(target: Target, devices: list[Device]) -> list[NewFile]:
    """The files of ``--out``; none where that is standard output."""
    if target.out == STDOUT:
        return []
    out = Path(target.out)
    if target.form in RECORD_FORMS:
        check_ending(target.form, target.out)
        return [NewFile(out, RECORD_FORMS[target.form](devices))]
    ending, text = BUILD_FORMS[target.form]
    if len(devices) == 1 and not out.is_dir() and not target.out.endswith("/"):
        return [NewFile(out, text(devices[0]))]
    if out.exists() and not out.is_dir():
        raise OperatorError(
            f"{out} is a file, and the files of {len(devices)} devices need a folder",
            "name a folder with --out",
            exit_code=ExitCode.USAGE,
        )
    return [NewFile(out / f"{each.identifier}.{ending}", text(each)) for each in devices]


def _text(target: Target, devices: list[Device]) -> str | bytes:
    if target.form in RECORD_FORMS:
        return RECORD_FORMS[target.form](devices)
    if len(devices) > 1:
        raise typer.BadParameter(f"--out - takes one device with --format {target.form}")
    return BUILD_FORMS[target.form].text(devices[0])


def _show(content: str | bytes) -> None:
    if isinstance(content, bytes):
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    else:
        sys.stdout.write(content)
    sys.stdout.flush()
