"""Each form is read back by what is not ours: compilers, build tools, the readers of an import."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import cbor2
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from jrc.cojp.algorithms import Aead, Hkdf
from jrc.errors import OperatorError
from jrc.model import PledgeId, Secret
from jrc.provision.c_header import c_header
from jrc.provision.cmake import cmake
from jrc.provision.device import Algorithms, Device, Numbers
from jrc.provision.forms import BUILD_FORMS, RECORD_FORMS, Form, record_form_of
from jrc.provision.laze import MODULE, laze
from jrc.provision.parts import parts
from jrc.provision.rust import rust
from jrc.service.applicants import Applicant, DerivedKeys
from jrc.service.import_fields import applicant_of
from jrc.service.import_file import Format, read_rows
from jrc.service.import_rows import Row, RowError
from tests.provision.source import EUI64, device
from tests.provision.yaml_lines import parse

Values = dict[str, bytes | int | str]

_PRINT = """\
#include "credential.h"
#include <stdio.h>
static void show(const char *name, const unsigned char *value, unsigned length)
{
    printf("%s ", name);
    while (length--) printf("%02x", *value++);
    printf("\\n");
}
int main(void)
{
"""


def expected(made: Device) -> Values:
    """What a device's build is told."""
    return {part.name: part.value for part in parts(made)}


def numbered(made: Device) -> Device:
    """The device, flashed anew with its key: the highest numbers there can be."""
    return Device(
        identifier=made.identifier,
        psk=made.psk,
        keys=made.keys,
        numbers=Numbers(2**40 - 1, 2**40 - 2),
    )


@pytest.fixture(params=[False, True], ids=["psk", "derived"])
def made(request: pytest.FixtureRequest) -> Device:
    """A device with a PSK, and one without."""
    return numbered(device(derived=request.param))


def test_the_values_are_those_of_the_device() -> None:
    """Derived keys never go with the PSK that they came from."""
    whole, derived = device(), device(derived=True)
    assert whole.psk is not None
    psk, values = whole.psk.reveal(), expected(derived)
    assert {"PSK", "HKDF"} == expected(whole).keys() - values.keys()
    assert {"SENDER_KEY", "RECIPIENT_KEY", "COMMON_IV"} == values.keys() - expected(whole).keys()
    assert (b"JRC", 10, 8, 0, 0) == tuple(
        values[name] for name in ("JRC_ID", "AEAD", "AEAD_TAG_LEN", "SSN_START", "RECV_START")
    )
    assert (EUI64.value, psk) == tuple(expected(whole)[name] for name in ("PLEDGE_ID", "PSK"))
    assert [key.reveal() for key in derived.keys] == [
        values[name] for name in ("SENDER_KEY", "RECIPIENT_KEY", "COMMON_IV")
    ]
    again = expected(numbered(derived))
    assert (2**40 - 1, 2**40 - 2) == (again["SSN_START"], again["RECV_START"])
    for form in BUILD_FORMS.values():
        text = form.text(derived)
        assert psk.hex() not in text
        assert ", ".join(f"0x{byte:02x}" for byte in psk[:4]) not in text
    for records in set(RECORD_FORMS) - {Form.COSE}:
        assert psk.hex() not in str(RECORD_FORMS[records]([derived]))


def test_a_number_below_zero_stays_one_number_in_c() -> None:
    """Behind another sign it would be a decrement."""
    assert "#define JRC_HKDF (-10)\n" in c_header(device())


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize("language", ["c", "c++"])
def test_a_c_header_compiles_and_says_the_same(made: Device, tmp_path: Path, language: str) -> None:
    """As C99 and, where a C++ compiler is there, as C++; included twice it is taken once."""
    if language == "c++" and shutil.which("c++") is None:
        pytest.skip("needs a C++ compiler")
    (tmp_path / "credential.h").write_text(c_header(made))
    (tmp_path / "show.c").write_text(
        _PRINT.replace("\n", '\n#include "credential.h"\n', 1)
        + "".join(_shown_in_c(name, value) for name, value in expected(made).items())
        + "return 0; }\n"
    )
    command = ["cc", "-x", language, "-Wall", "-Wextra", "-Werror", "-O0", "-o", "show", "show.c"]
    if language == "c":
        command[3:3] = ["-std=c99", "-Wpedantic"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)
    out = subprocess.run(
        [str(tmp_path / "show")], capture_output=True, text=True, check=True
    ).stdout
    assert {name: _as_text(value) for name, value in expected(made).items()} == dict(
        line.split() for line in out.splitlines()
    )


def _shown_in_c(name: str, value: bytes | int | str) -> str:
    if isinstance(value, bytes):
        array = f"static const unsigned char v[] = JRC_{name};"
        return f'{{ {array} show("{name}", v, sizeof v == JRC_{name}_LEN ? sizeof v : 0); }}\n'
    if isinstance(value, str):
        return f'printf("{name} %s\\n", JRC_{name});\n'
    return f'printf("{name} %lld\\n", (long long)JRC_{name});\n'


def _as_text(value: bytes | int | str) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


_CONSTANT = re.compile(r"pub const (\w+): (&str|\[u8; (\d+)\]|\w+) = (.+);")


def test_rust_constants_say_the_same(made: Device) -> None:
    """Arrays of the length that they say, and integers that hold the highest number."""
    found: Values = {}
    for line in rust(made).splitlines():
        if line.startswith("//"):
            continue
        match = _CONSTANT.fullmatch(line)
        assert match is not None, line
        name, kind, length, value = match.groups()
        if length is not None:
            found[name] = bytes(int(byte, 16) for byte in value.strip("[]").split(", "))
            assert int(length) == len(value.strip("[]").split(", "))
        else:
            found[name] = value.strip('"') if kind == "&str" else int(value)
    assert expected(made) == found


@pytest.mark.skipif(shutil.which("rustc") is None, reason="needs a Rust compiler")
def test_rust_constants_compile_without_std(made: Device, tmp_path: Path) -> None:
    """As part of the example's crate where the keys are derived, else by themselves."""
    path = tmp_path / "credential.rs"
    path.write_text(rust(made))
    source = tmp_path / "lib.rs"
    source.write_text(f'#![no_std]\n#![deny(warnings)]\ninclude!("{path}");\n')
    command = ["rustc", "--crate-type", "rlib", "--emit=metadata", "-o", "lib.rmeta", str(source)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.skipif(shutil.which("cmake") is None, reason="needs cmake")
def test_cmake_variables_say_the_same_to_cmake(made: Device, tmp_path: Path) -> None:
    """`cmake -P` includes the file and prints what it has understood."""
    (tmp_path / "credential.cmake").write_text(cmake(made))
    shows = [f'message(STATUS "{name} ${{JRC_{name}}}")' for name in expected(made)]
    script = tmp_path / "show.cmake"
    script.write_text("\n".join(["include(credential.cmake)", *shows]))
    done = subprocess.run(
        ["cmake", "-P", str(script)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    shown = dict(line.removeprefix("-- ").split() for line in done.stdout.splitlines())
    assert {name: _as_text(value) for name, value in expected(made).items()} == shown


def test_cmake_variables_are_one_plain_set_each(made: Device) -> None:
    """Also where no cmake is: nothing in a value that CMake would expand."""
    lines = [line for line in cmake(made).splitlines() if not line.startswith("#")]
    matches = [re.fullmatch(r'set\(JRC_(\w+) "([-0-9a-zA-Z]+)"\)', line) for line in lines]
    found = {match[1]: match[2] for match in matches if match is not None}
    assert len(lines) == len(found)
    assert {name: _as_text(value) for name, value in expected(made).items()} == found


def test_laze_variables_are_text_of_one_module(made: Device) -> None:
    """In quotes, as YAML reads 00124b0014b5b67e as no text but 10e5 as a number."""
    document = parse(laze(made))
    variables = {f"JRC_{name}": _as_text(value) for name, value in expected(made).items()}
    assert {"modules": [{"name": MODULE, "env": {"global": variables}}]} == document
    unquoted = re.findall(r"^ +JRC_\w+: [^\"]", laze(made), re.MULTILINE)
    assert [] == unquoted


@pytest.mark.parametrize("form", list(BUILD_FORMS))
def test_each_file_says_that_it_is_secret_and_whose(form: Form, made: Device) -> None:
    """In its first lines; and what a device without PSK can't do."""
    top = "\n".join(BUILD_FORMS[form].text(made).splitlines()[:3])
    assert "SECRET" in top
    assert str(made.identifier) in top
    assert made.is_derived == ("App. B.2" in top)


# Records: CSV, JSON, YAML and COSE_Keys.

identifier = st.binary(min_size=1, max_size=12).filter(lambda value: value[0] >> 5 != 2)
secret = st.binary(min_size=16, max_size=16)
label = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), max_size=20)


@st.composite
def devices(draw: Callable[..., object]) -> list[Device]:
    """Devices as a run makes them, and as --keep leaves them."""
    found: dict[bytes, Device] = {}
    for value, psk in draw(st.lists(st.tuples(identifier, secret), max_size=4)):  # type: ignore[attr-defined]
        algorithms = Algorithms(Aead(draw(st.sampled_from([10, 30]))), draw(st.sampled_from(Hkdf)))  # type: ignore[arg-type]
        settings = {"label": draw(label), "network": "lab;hall"}
        kept = {name: text for name, text in settings.items() if text}
        try:
            made = Device.from_psk(PledgeId(value), Secret(psk), algorithms, kept)  # type: ignore[arg-type]
        except ValueError:
            continue
        found[value] = made.without_psk() if draw(st.booleans()) else made
    return list(found.values())


@pytest.mark.parametrize("form", list(RECORD_FORMS))
@given(made=devices().filter(bool))
def test_records_are_read_as_they_were_written(form: Form, made: list[Device]) -> None:
    """By the readers of `jrc pledge import`, whatever is in them; COSE has no derived keys."""
    if form is Form.COSE:
        made = [each for each in made if not each.is_derived]
    content = RECORD_FORMS[form](made)
    whole = content if isinstance(content, bytes) else content.encode()
    if made:
        assert [_read(row) for row in read_rows([whole])] == [_applied(each) for each in made]


@pytest.mark.parametrize("derived", [False, True])
def test_no_part_of_a_row_of_yaml_passes_for_the_whole(derived: bool) -> None:
    """A file may be cut off anywhere: what comes before the keys is no good without them."""
    text = str(RECORD_FORMS[Form.YAML]([device(derived=derived)])).rstrip()
    for end in range(len(text)):
        for row in read_rows([text[:end].encode()], Format.YAML):
            assert isinstance(row, RowError) or applicant_of(row, "file")[0] is None


def test_a_cose_key_set_is_what_the_rfc_says() -> None:
    """RFC 9052 §7, RFC 9053 §6.2: kty Symmetric, the identifier as kid, and k."""
    made = device()
    assert made.psk is not None
    content = RECORD_FORMS[Form.COSE]([made])
    assert isinstance(content, bytes)
    (key,) = cbor2.loads(content)
    numbered_labels = {label: value for label, value in key.items() if isinstance(label, int)}
    assert numbered_labels == {1: 4, 2: made.identifier.value, -1: made.psk.reveal()}
    assert key["key_check"] == made.key_check


def test_derived_keys_are_no_cose_key() -> None:
    """It holds one key, and these are three."""
    with pytest.raises(OperatorError, match="one key alone"):
        RECORD_FORMS[Form.COSE]([device(derived=True)])


def test_yaml_says_the_same_to_another_reader() -> None:
    """Identifiers of digits alone stay text."""
    made = device()
    (found,) = yaml.safe_load(RECORD_FORMS[Form.YAML]([made]))
    assert found == json.loads(str(RECORD_FORMS[Form.JSON]([made])))[0]


def _read(row: object) -> tuple[object, ...]:
    assert isinstance(row, Row), row
    applicant, faults = applicant_of(row, "file")
    assert applicant is not None, faults
    return _facts(applicant)


def _facts(applicant: Applicant) -> tuple[object, ...]:
    return (
        applicant.identifier, applicant.keys, applicant.networks, applicant.label, applicant.aead,
        applicant.hkdf, applicant.key_check,
    )  # fmt: skip


def _applied(made: Device) -> tuple[object, ...]:
    keys = made.psk or DerivedKeys(*made.keys)
    text = made.settings.get("label", "").strip() or None
    return (
        made.identifier, keys, ("lab", "hall"), text, made.algorithms.aead, made.algorithms.hkdf,
        made.key_check,
    )  # fmt: skip


def test_records_say_numbers_as_numbers_in_json() -> None:
    """And leave out algorithms that an import takes anyhow."""
    (record,) = json.loads(str(RECORD_FORMS[Form.JSON]([numbered(device())])))
    assert (2**40 - 1, 2**40 - 2) == (record["ssn_start"], record["recv_start"])
    assert {"aead", "hkdf"} & record.keys() == set()


def test_the_name_of_a_file_of_records_tells_its_form() -> None:
    """CSV where its end is of no other one."""
    assert [Form.JSON, Form.JSON, Form.CSV, Form.CSV] == [
        record_form_of(name) for name in ("a.json", "A.JSON", "a.csv", "json")
    ]
    assert [Form.YAML, Form.YAML, Form.COSE, Form.COSE] == [
        record_form_of(name) for name in ("a.yml", "b/a.YAML", "a.cose", "a.cbor")
    ]
