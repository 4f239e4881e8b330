"""The builder's former output as `--keep` reads it: each key is the one that it says it is."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from jrc.cli.generated_files import Target, write
from jrc.cli.kept_keys import devices_from, known_in
from jrc.cojp.constants import MAX_SEQUENCE_NUMBER
from jrc.errors import ExitCode, OperatorError
from jrc.provision.device import Numbers
from jrc.provision.forms import RECORD_FORMS, Form
from tests.provision.source import EUI64, OTHER, device


def former(folder: Path, name: str, content: str | bytes) -> str:
    """A file of before, named as on the command line."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(folder / name)


def csv_of(
    identifier: object, key: str = "8c1d5f0ba7e34296d8317cb05efa6921", rest: str = ""
) -> str:
    header = "pledge_id,psk" + (",key_check" if rest else "")
    return f"{header}\n{identifier},{key}{rest}\n"


@pytest.mark.parametrize(
    ("form", "derived"),
    [(form, derived) for form in RECORD_FORMS for derived in {False, form is not Form.COSE}],
)
def test_what_a_run_wrote_is_what_is_kept(tmp_path: Path, form: Form, derived: bool) -> None:
    """Of several files, by identifier."""
    first = replace(device(derived=derived), numbers=Numbers(MAX_SEQUENCE_NUMBER, 7))
    made = [first, device(derived=derived, identifier=OTHER)]
    names = [
        former(tmp_path, f"{each.identifier}.{form}", RECORD_FORMS[form]([each])) for each in made
    ]
    assert {each.identifier.value: each for each in made} == devices_from(names)


def test_a_key_that_is_not_that_of_its_check_value_is_not_kept(tmp_path: Path) -> None:
    """It was changed or mixed up since; the file and the line are said, and nothing of the key."""
    name = former(tmp_path, "former.csv", csv_of(EUI64, rest=",00000000"))
    with pytest.raises(
        OperatorError, match=r"former\.csv, line 2: the key is not the one"
    ) as wrong:
        devices_from([name])
    assert ExitCode.USAGE == wrong.value.exit_code
    assert "8c1d5f0b" not in f"{wrong.value}{wrong.value.hint}"


def test_of_two_keys_of_a_device_none_is_guessed(tmp_path: Path) -> None:
    """In one file or in two, also where both are the same."""
    one = former(tmp_path, "a.csv", csv_of(EUI64))
    both = former(tmp_path, "b.csv", csv_of(EUI64) + csv_of(EUI64).partition("\n")[2])
    for names in ([one, one], [both]):
        with pytest.raises(OperatorError, match=f"{EUI64} has two keys"):
            devices_from(names)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: the file is empty"),
        ("pledge_id,psk\nzz,00\n", "line 2, pledge_id"),
        (csv_of(EUI64, "00" * 16), "line 2: the PSK is weak"),
        (csv_of(EUI64)[:-6], "line 2, psk"),
        ("#define JRC_PSK { 0x00 }\n", "line 1"),
    ],
)
def test_what_no_run_has_written_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    """A row that was cut off, a build's file, a key that no run makes."""
    with pytest.raises(OperatorError, match=said) as refused:
        devices_from([former(tmp_path, "former.csv", text)])
    assert "--keep takes" in refused.value.hint


def test_of_two_states_of_a_device_none_is_guessed(tmp_path: Path) -> None:
    """The older one would give numbers that were used."""
    state = {"pledge_id": str(EUI64), "highest_number": 4, "next_sender_number": 7}
    names = [former(tmp_path, name, json.dumps(state)) for name in ("a.json", "b.json")]
    with pytest.raises(OperatorError, match=f"{EUI64} is there twice"):
        known_in(names)


def test_the_registrars_file_is_the_last_to_get_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is new, so are the files of the build."""
    named: list[str] = []
    rename = Path.rename

    def watched(path: Path, to: Path) -> Path:
        named.append(to.name)
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", watched)
    target = Target(Form.C, str(tmp_path / "keys"), str(tmp_path / "pledges.csv"))
    write(target, [device(), device(identifier=OTHER)], is_kept=False, overwrite=False)
    assert [f"{EUI64}.h", f"{OTHER}.h", "pledges.csv"] == named
