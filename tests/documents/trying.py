"""Commands of documents, pasted as they stand there."""

import re
import secrets
from collections.abc import Sequence

from typer._click.exceptions import UsageError

from tests.cli.terminal import free_port
from tests.documents.blocks import Command, blocks, commands
from tests.documents.sandbox import Sandbox
from tests.documents.scenes import (
    ELSEWHERE,
    OF_HELP,
    PORT,
    READY,
    SCENES,
    Ends,
    Parsed,
    Scene,
    Shows,
    Stays,
    Types,
)
from tests.documents.words import parse, simple_commands


def with_commands(*, has_daemon: bool) -> list[str]:
    """The documents whose commands want a registrar that runs, or the others."""
    named = sorted({command.document for command in commands()})
    return [name for name in named if _wants_daemon(SCENES.get(name, Scene())) is has_daemon]


def _wants_daemon(scene: Scene) -> bool:
    return scene.has_daemon or scene.is_bare


def try_all(document: str) -> None:
    """Pastes the commands of a document one by one; `SCENES` says what they find."""
    mine = [command for command in commands() if command.document == document]
    if document == OF_HELP:
        _parse_all(mine)
        return
    with Sandbox() as sandbox:
        scene = SCENES.get(document, Scene())
        _write_keys(sandbox, document)
        _prepare(sandbox, scene)
        for command in mine:
            _try(sandbox, scene, command)


def _write_keys(sandbox: Sandbox, document: str) -> None:
    """The import file that a document shows, with keys in the place of what stands for them."""
    for block in blocks():
        if block.document == document and block.text.startswith("pledge_id,psk"):
            text = block.text.replace("<32 hex digits>", secrets.token_hex(16))
            sandbox.write("keys.csv", text)


def _parse_all(some: Sequence[Command]) -> None:
    for command in some:
        for words in simple_commands(command.text):
            try:
                parse(words)
            except UsageError as error:
                raise AssertionError(f"{command.text}: {error.message}") from None


def _prepare(sandbox: Sandbox, scene: Scene) -> None:
    if scene.is_bare:
        return
    sandbox.furnish(scene.config.replace(PORT, str(free_port())))
    if scene.has_lab:
        sandbox.add_lab()
    if scene.has_daemon:
        sandbox.begin("jrc run", READY)
    if scene.has_nodes:
        sandbox.begin("jrc lab join devices.csv --network-id cafe", "they stay")


def _try(sandbox: Sandbox, scene: Scene, command: Command) -> None:
    where = f"{command.document}:{command.line}: {command.text}"
    how = scene.lines.get(command.text, Ends())
    if _is_elsewhere(command) and command.text not in scene.lines:
        _parse_inside(command)
        return
    for earlier in scene.before.get(command.text, ()):
        sandbox.give(earlier)
    match how:
        case Parsed():
            _parse_all([command])
        case Shows(text):
            sandbox.watch(command.text, text)
        case Stays(text):
            sandbox.begin(command.text, text)
        case Types(answers, code):
            ended, shown = sandbox.type(command.text, answers)
            assert code == ended, f"{where}\n{shown}"
        case Ends(code, put):
            text = command.text
            for old, new in put.items():
                text = text.replace(old, str(free_port()) if new == PORT else new)
            done = sandbox.give(text)
            assert code == done.returncode, f"{where}\n{done.stdout}{done.stderr}"


def _parse_inside(command: Command) -> None:
    """What `docker exec jrc jrc ...`, `docker compose run setup ...` and `jrc-offline ...` carry
    out."""
    words = command.text.removeprefix("jrc-offline ")
    found = re.search(r" (?:jrc jrc|setup|\S+:/var/lib/jrc jrc) (.+)", command.text)
    if words != command.text:
        _parse_all([command._replace(text=f"jrc {words}")])
    elif found is not None and command.words[0] == "docker":
        _parse_all([command._replace(text=f"jrc {found[1]}")])


def _is_elsewhere(command: Command) -> bool:
    """Whether a program of others is asked, which is listed with the reason."""
    words = [word for word in command.words if "=" not in word]
    first = words[words.index("sudo") + 1 :] if words[0] == "sudo" else words
    if first[0] == "-u":
        first = first[2:]
    return first[0] in ELSEWHERE
