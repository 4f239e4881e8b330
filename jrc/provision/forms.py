"""The forms that devices are written in."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import PurePath
from typing import Final, NamedTuple

from jrc.errors import ExitCode, OperatorError
from jrc.provision.c_header import c_header
from jrc.provision.cmake import cmake
from jrc.provision.device import Device
from jrc.provision.laze import laze
from jrc.provision.records import cose_key_set, csv_text, json_text, yaml_text
from jrc.provision.rust import rust


class Form(StrEnum):
    """Names as they are given."""

    CSV = "csv"
    JSON = "json"
    YAML = "yaml"
    COSE = "cose"
    C = "c"
    RUST = "rust"
    CMAKE = "cmake"
    LAZE = "laze"


class BuildForm(NamedTuple):
    """A file a device, for a build: how its name ends, what is in it."""

    ending: str
    text: Callable[[Device], str]


RECORD_FORMS: Final[Mapping[Form, Callable[[Sequence[Device]], str | bytes]]] = {
    Form.CSV: csv_text,
    Form.JSON: json_text,
    Form.YAML: yaml_text,
    Form.COSE: cose_key_set,
}
"""One file with all devices, which an import takes as it is."""

BUILD_FORMS: Final[Mapping[Form, BuildForm]] = {
    Form.C: BuildForm("h", c_header),
    Form.RUST: BuildForm("rs", rust),
    Form.CMAKE: BuildForm("cmake", cmake),
    Form.LAZE: BuildForm("yml", laze),
}


_ENDINGS: Final[Mapping[str, Form | None]] = {
    ".csv": Form.CSV,
    ".tsv": Form.CSV,
    ".json": Form.JSON,
    ".jsonl": None,
    ".ndjson": None,
    ".yaml": Form.YAML,
    ".yml": Form.YAML,
    ".cose": Form.COSE,
    ".cbor": Form.COSE,
}


def record_form_of(name: str) -> Form:
    """The form of a file of records by how its name ends; CSV where that says nothing."""
    return _form_by_ending(name) or Form.CSV


def check_ending(form: Form, name: str) -> None:
    """Nothing, if an import will not take a file of this form for another by its name.

    Raises:
        OperatorError: it will, and then refuse it.
    """
    ending = PurePath(name).suffix
    if _form_by_ending(name, form) is not form:
        raise OperatorError(
            f"{name}: {ending} is not how {form} ends, and an import would refuse it",
            f"name it .{form}, or say the --format that {ending} stands for",
            exit_code=ExitCode.USAGE,
        )


def _form_by_ending(name: str, default: Form | None = None) -> Form | None:
    return _ENDINGS.get(PurePath(name).suffix.lower(), default)
