"""What is shipped to builders fits the program: its commands exist, its files can be read."""

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from jrc.cli.tree import app
from jrc.provision.cmake import cmake
from jrc.provision.laze import MODULE
from jrc.provision.parts import parts
from jrc.provision.rust import rust
from tests.provision.source import device
from tests.provision.yaml_lines import NotPlainError, parse

CHECKOUT = Path(__file__).parents[2]
EXAMPLES = CHECKOUT / "deploy/examples"
YAML = sorted(EXAMPLES.rglob("*.yml"))
TEXTS = [*sorted(path for path in EXAMPLES.rglob("*") if path.suffix in {".md", ".yml", ".c"})]
TEXTS += [CHECKOUT / "docs/provisioning.md"]
_COMMAND = re.compile(r"(?:^|\s|;|`)(jrc (?:pledge|--)[^\n`#]*)")
_STANDS_FOR = {"ID": "0a", "FORM": "c", "N": "1", "REPLACE": "replace"}


def commands(text: str) -> Iterator[list[str]]:
    """The `jrc pledge ...` commands in a text, lines that go on put together."""
    for found in _COMMAND.finditer(text.replace("\\\n", " ")):
        words: list[str] = []
        for word in shlex.split(found[1].strip().rstrip(".,:")):
            if word in ("|", "<", ">", "&&", "||", ";"):
                break
            words.append(_STANDS_FOR.get(word, word))
        yield words[1:]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(CHECKOUT)))
def test_every_command_that_is_named_is_one(path: Path) -> None:
    """With its options; a typo in what people paste is found here."""
    for words in commands(path.read_text()):
        _parse(words)


def _parse(words: list[str]) -> None:
    """Returns if the command takes these options; a command's bare name is good as well."""
    group, name, *options = words
    leaf = get_command(app).commands[group].commands[name]  # type: ignore[attr-defined]
    if options and options != ["..."]:
        leaf.make_context(name, options)


def test_the_check_of_commands_can_fail() -> None:
    """A check that can't says nothing."""
    (words,) = commands("$ jrc pledge generate --form c --out a | cat")
    with pytest.raises(Exception, match="--form"):
        _parse(words)
    with pytest.raises(KeyError):
        _parse(["pledge", "generated"])
    assert [] == list(commands("jrc is a registrar"))


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_every_yaml_file_can_be_read(path: Path) -> None:
    """As the plain part of YAML, which every reader of it has."""
    document = parse(path.read_text())
    assert isinstance(document, dict)
    assert document


@pytest.mark.parametrize("name", ["github.yml", "gitlab-ci.yml"])
def test_keys_go_to_the_host_that_is_meant_and_whole(name: str) -> None:
    """A host that nobody knows gets none, and CSV that was cut off would look whole."""
    lines = (EXAMPLES / "ci" / name).read_text().splitlines()
    sent = [line for line in lines if "jrc pledge import" in line and not line.startswith("#")]
    assert 2 == len(sent)
    assert all("-o UserKnownHostsFile=" in line for line in sent)
    assert all(line.endswith("< pledges.json") for line in sent)


def test_firmware_is_in_safety_before_the_registrar_is_told() -> None:
    """Else the keys of the only firmware that is left may be wiped by those of none."""
    steps = (EXAMPLES / "ci/github.yml").read_text().partition("steps:")[2].splitlines()
    (handed,) = (at for at, line in enumerate(steps) if "tar c firmware | ssh " in line)
    assert "-o UserKnownHostsFile=" in steps[handed]
    (told,) = (at for at, line in enumerate(steps) if "import - --reason" in line)
    (built,) = (at for at, line in enumerate(steps) if "build-each.sh" in line)
    assert built < handed < told


@pytest.mark.parametrize(
    "text", ["a:", "a: b: c", "\ta: b", "a: b\na: c", "a: {b: c}", 'a: "b', "a"]
)
def test_the_reader_of_yaml_refuses_what_is_none(text: str) -> None:
    """Tabs, maps without values, keys that are there twice, quotes that are left open."""
    with pytest.raises(NotPlainError):
        parse(text)


def test_the_laze_project_selects_the_module_and_uses_its_variables() -> None:
    """Every variable that it names is one that `--format laze` writes."""
    text = (EXAMPLES / "laze/laze-project.yml").read_text()
    document = parse(text)
    assert isinstance(document, dict)
    assert ["credential.yml"] == document["includes"]
    assert f"- {MODULE}" in text
    known = {
        f"JRC_{part.name}" for derived in (True, False) for part in parts(device(derived=derived))
    }
    assert set(re.findall(r"\$\{(\w+)\}", text)) <= known


def test_the_template_of_cmake_has_each_value_that_the_program_uses() -> None:
    """The header that CMake writes gives the C program what a generated one gives."""
    template = (EXAMPLES / "cmake/credential.h.in").read_text()
    used = set(re.findall(r"\bJRC_[A-Z_]+\b", (EXAMPLES / "c/join.c").read_text()))
    assert used <= set(re.findall(r"#define (JRC_\w+)", template)) | {"JRC_CREDENTIAL_H"}


@pytest.mark.skipif(
    shutil.which("cmake") is None
    or shutil.which("cc") is None
    or not Path("/usr/include/nettle/ccm.h").exists(),
    reason="needs cmake, a C compiler and nettle-dev",
)
def test_cmake_builds_the_example(tmp_path: Path) -> None:
    """The header of the build is in a folder that its owner alone enters."""
    (tmp_path / "credential.cmake").write_text(cmake(device(derived=True)))
    where = f"-DJRC_CREDENTIAL={tmp_path / 'credential.cmake'}"
    _run("cmake", "-S", str(EXAMPLES / "cmake"), "-B", str(tmp_path / "build"), where)
    _run("cmake", "--build", str(tmp_path / "build"))
    assert (tmp_path / "build/join").exists()
    assert 0o700 == (tmp_path / "build/private").stat().st_mode & 0o777


@pytest.mark.skipif(shutil.which("rustc") is None, reason="needs a Rust compiler")
def test_rust_builds_the_example(tmp_path: Path) -> None:
    """The crate takes the constants by the path in its environment."""
    credential = tmp_path / "credential.rs"
    credential.write_text(rust(device(derived=True)))
    _run(
        "env", f"JRC_CREDENTIAL={credential}", "rustc", "--edition", "2021", "--crate-type", "rlib",
        "--emit=metadata", "-o", str(tmp_path / "lib.rmeta"), str(EXAMPLES / "rust/src/lib.rs"),
    )  # fmt: skip


def test_no_key_is_shipped() -> None:
    """What the examples include is made by whoever uses them."""
    assert [] == [path for path in EXAMPLES.rglob("credential.*") if path.suffix != ".in"]


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
