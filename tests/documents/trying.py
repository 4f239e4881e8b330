"""Commands of documents, pasted as they stand there."""

import re
import secrets
from collections.abc import Mapping, Sequence
from functools import cache

from typer._click.exceptions import UsageError

from tests.cli.terminal import free_port
from tests.documents.blocks import Command, blocks, commands
from tests.documents.elsewhere import why_not
from tests.documents.examples import EXAMPLES
from tests.documents.how import COAP, HERE, PORT, Ends, Parsed, Scene, Shows, Stays, Types
from tests.documents.sandbox import Sandbox
from tests.documents.scenes import READY, SCENES
from tests.documents.words import parse, simple_commands

OF_HELP = "docs/commands.md"


def with_commands(*, has_daemon: bool) -> list[str]:
    """The documents whose commands want a registrar that runs, or the others."""
    named = sorted({command.document for command in commands()} - {OF_HELP})
    return [name for name in named if _wants_daemon(SCENES.get(name, Scene())) is has_daemon]


def examples_with(*, has_daemon: bool) -> list[str]:
    """The commands whose examples want a registrar that runs, or the others."""
    return [name for name in examples() if _wants_daemon(EXAMPLES.get(name, Scene())) is has_daemon]


def _wants_daemon(scene: Scene) -> bool:
    return scene.has_daemon or scene.is_bare


def try_all(document: str) -> None:
    """Pastes the commands of a document one by one; `SCENES` says what they find."""
    with Sandbox() as sandbox:
        try_in(sandbox, commands_of(document), SCENES.get(document, Scene()))


def commands_of(document: str) -> list[Command]:
    """As they stand there."""
    return [command for command in commands() if command.document == document]


@cache
def examples() -> dict[str, list[Command]]:
    """Those of `--help` by command, as `docs/commands.md` has them, that no guide has."""
    tried = {command.text for command in commands() if _is_tried(command)}
    found: dict[str, list[Command]] = {}
    name = ""
    for block in blocks():
        if block.document == OF_HELP:
            name = block.text.partition(" [OPTIONS]")[0] if "[OPTIONS]" in block.text else name
            some = [command for command in block.commands if command.text not in tried]
            found.setdefault(name, []).extend(some)
    return {name: some for name, some in found.items() if some}


def _is_tried(command: Command) -> bool:
    """In a guide, where it is pasted."""
    if command.document == OF_HELP:
        return False
    how = SCENES.get(command.document, Scene()).lines.get(command.text)
    return not isinstance(how, Parsed) and (how is not None or why_not(command) is None)


def try_examples(name: str) -> None:
    """Pastes those of a command; `EXAMPLES` says what they find."""
    with Sandbox() as sandbox:
        try_in(sandbox, examples()[name], EXAMPLES.get(name, Scene()))


def try_in(sandbox: Sandbox, some: Sequence[Command], scene: Scene) -> None:
    """Pastes commands of one document, in one terminal."""
    _write_keys(sandbox, some[0].document)
    put = _prepare(sandbox, scene)
    for command in some:
        _try(sandbox, scene, command, put)


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


def _prepare(sandbox: Sandbox, scene: Scene) -> Mapping[str, str]:
    """What stands for the placeholders in its commands."""
    put = {PORT: str(free_port()), HERE: str(sandbox.folder)}
    if scene.has_checkout:
        sandbox.add_checkout()
    if not scene.is_bare:
        sandbox.furnish(put_into(scene.config, put))
        put[COAP] = sandbox.port
        if scene.has_lab:
            sandbox.add_lab()
        if scene.at:
            sandbox.must(f"cd {scene.at}")
    if scene.has_daemon:
        sandbox.begin("jrc run", READY)
    if scene.has_nodes:
        sandbox.begin("jrc lab join devices.csv --network-id cafe", "they stay")
    return put


def put_into(text: str, put: Mapping[str, str]) -> str:
    """The text with what stands for its placeholders, which are replaced in their order."""
    for old, new in put.items():
        text = text.replace(old, new)
    return text


def _try(sandbox: Sandbox, scene: Scene, command: Command, put: Mapping[str, str]) -> None:
    where = f"{command.document}:{command.line}: {command.text}"
    if command.text not in scene.lines and why_not(command) is not None:
        _parse_inside(command)
        return
    for earlier in scene.before.get(command.text, ()):
        sandbox.give(put_into(earlier, put))
    how = scene.lines.get(command.text, Ends())
    text = put_into(put_into(command.text, {**scene.put, **how.put}), put)
    match how:
        case Parsed():
            _parse_all([command])
        case Shows(until):
            sandbox.watch(text, until)
        case Stays(until):
            sandbox.begin(text, until)
        case Types(answers, code):
            ended, shown = sandbox.type(text, answers)
            assert code == ended, f"{where}\n{shown}"
        case Ends(code):
            done = sandbox.give(text)
            assert code == done.returncode, f"{where}\n{done.stdout}{done.stderr}{done.returncode}"


def _parse_inside(command: Command) -> None:
    """What `docker exec jrc jrc ...`, `docker compose run setup ...` and `jrc-offline ...` carry
    out."""
    words = command.text.removeprefix("jrc-offline ")
    found = re.search(r" (?:jrc jrc|setup|\S+:/var/lib/jrc jrc) (.+)", command.text)
    if words != command.text:
        _parse_all([command._replace(text=f"jrc {words}")])
    elif found is not None and command.words[0] == "docker":
        _parse_all([command._replace(text=f"jrc {found[1]}")])
