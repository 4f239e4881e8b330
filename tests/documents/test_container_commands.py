"""What documents tell Docker: services, volumes, arguments and users are those of the files.

No Docker is to be had for tests. Its options here are those that it documents; what the registrar
does in there, `tests/container` tries.
"""

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from tests.documents.blocks import CHECKOUT, Command, commands
from tests.documents.elsewhere import ENGINES, without_who

_OPTIONS: Mapping[str, tuple[str, str]] = {
    "compose exec": ("-T", ""),
    "compose run": ("--rm", "-v"),
    "compose cp": ("", ""),
    "compose up": ("--detach --wait --force-recreate", ""),
    "compose build": ("--pull", ""),
    "compose stop": ("", ""),
    "compose config": ("--resolve-image-digests", "--output"),
    "build": ("", "--build-arg -t"),
    "run": (
        "--rm --detach --read-only --interactive --tty",
        "--name --restart -v -p --cap-drop --security-opt --user --entrypoint",
    ),
    "exec": ("", ""),
    "stop": ("", ""),
    "rm": ("", ""),
    "buildx imagetools inspect": ("", ""),
    "volume inspect": ("", "--format"),
}
"""Of each command that documents give: switches, and options with a value."""
TOLD = [each for each in commands() if without_who(each.words)[0] in ENGINES]
COMPOSE: Mapping[str, Any] = yaml.safe_load((CHECKOUT / "deploy/compose.yaml").read_text())
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()


class _WrongError(Exception):
    """Docker would not take it."""


class _Parser(ArgumentParser):
    def error(self, message: str) -> Any:
        raise _WrongError(message)


def _read(words: list[str]) -> tuple[str, Namespace]:
    """The command of Docker's, its options, and the rest as it stands there."""
    name = next((each for each in _OPTIONS if words[1:][: len(each.split())] == each.split()), None)
    if name is None:
        raise _WrongError(f"no command {words[1:3]}")
    parser = _Parser(add_help=False, allow_abbrev=False)
    switches, valued = (each.split() for each in _OPTIONS[name])
    for switch in switches:
        parser.add_argument(switch, action="store_true")
    for option in valued:
        parser.add_argument(option, action="append", default=[])
    parser.add_argument("rest", nargs="...")
    return name, parser.parse_args(words[1 + len(name.split()) :])


def _simple(command: Command) -> Iterator[list[str]]:
    """Each `docker` of a line, without where its files go."""
    words: list[str] = []
    for word in [*command.words, "&&"]:
        if word == "&&":
            if words[:1] == ["docker"]:
                yield words
            words = []
        else:
            words.append(word)


def _faults(words: list[str]) -> Iterator[str]:
    """What the files have otherwise."""
    name, given = _read(words)
    options, rest = vars(given), given.rest
    if name in ("compose exec", "compose run", "compose stop", "compose up"):
        yield from set(rest[:1]) - set(COMPOSE["services"])
    elif name == "compose cp":
        yield from {rest[0].partition(":")[0]} - set(COMPOSE["services"])
    elif name == "volume inspect":
        yield from set(rest) - {f"{COMPOSE['name']}_{volume}" for volume in COMPOSE["volumes"]}
    elif name == "run":
        yield from _faults_of_run(options, rest)
    for pair in options.get("build_arg", ()):
        if not re.search(rf"^ARG {pair.partition('=')[0]}\b", DOCKERFILE, re.MULTILINE):
            yield pair


def _faults_of_run(options: Mapping[str, Any], rest: list[str]) -> Iterator[str]:
    volumes = [pair.split(":")[1] for pair in options["v"]]
    if "/var/lib/jrc" not in volumes and not options["entrypoint"]:
        yield "the image's volume"
    yield from set(rest[:1]) - {"jrc"}
    for port in options["p"]:
        if f"EXPOSE {port.rpartition(':')[2]}\n" not in DOCKERFILE:
            yield port


def test_a_wrong_command_is_told_from_a_good_one() -> None:
    """What the test below relies upon."""
    good = "docker run --rm -v jrc:/var/lib/jrc -p [::]:5683:5683/udp jrc init --dir x"
    assert [] == list(_faults(good.split()))
    for wrong, what in (
        (good.replace("/var/lib/jrc", "/data"), "the image's volume"),
        (good.replace("5683/udp", "5684/udp"), "[::]:5683:5684/udp"),
        ("docker compose exec registrar jrc status", "registrar"),
        ("docker volume inspect jrc_data", "jrc_data"),
        ("docker build --build-arg PYTHON=3 -t jrc .", "PYTHON=3"),
    ):
        assert [what] == list(_faults(wrong.split()))
    for wrong in ("docker run --remove jrc", "docker compose execute jrc"):
        with pytest.raises(_WrongError):
            _read(wrong.split())


@pytest.mark.parametrize("command", TOLD, ids=lambda each: f"{each.document}:{each.line}")
def test_docker_is_told_what_the_files_have(command: Command) -> None:
    """In `deploy/compose.yaml` and `Dockerfile`; what `jrc` is told is parsed elsewhere."""
    assert [] == [fault for words in _simple(command) for fault in _faults(words)]


def test_the_user_that_documents_name_is_that_of_the_image() -> None:
    """Who owns the secrets and what is restored."""
    owners = {
        number
        for each in commands()
        if each.document == "docs/container.md"
        for number in re.findall(r"(?:chown|-o|-g) (\d+)", each.text)
    }
    assert {"10001"} == owners
    assert "\nUSER 10001:10001\n" in DOCKERFILE
