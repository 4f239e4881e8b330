"""Every command that a document tells people to give works as it stands there."""

import re
from typing import Any

import pytest
from typer._click.exceptions import UsageError

from tests.documents.blocks import CONSOLE, SHELL, Block, blocks, commands, documents, indented
from tests.documents.elsewhere import without_who
from tests.documents.scenes import SCENES
from tests.documents.trying import OF_HELP, examples_with, try_all, try_examples, with_commands
from tests.documents.words import parse, simple_commands

_INLINE = re.compile(r"`jrc ([a-z][^`\n]*)`")
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_SHORTHAND = re.compile(r"[|\[\]…]|\.\.\.| - ")
"""In a sentence: alternatives, and what is left out."""


def test_a_wrong_command_is_told_from_a_good_one() -> None:
    """What the tests below rely upon."""
    parse(["--config", "x", "events", "--since", "2h"])
    parse(["pledge", "revoke", "00", "--yes"])
    for wrong in (["evnts"], ["pledge", "revoke", "00", "--now"], ["network", "add"]):
        with pytest.raises(UsageError):
            parse(wrong)
    parse(["pledge", "revoke"], whole=False)
    with pytest.raises(UsageError):
        parse(["pledge", "revoke", "--now"], whole=False)


def test_what_stands_in_a_line_of_shell_is_found() -> None:
    """Behind pipes and other programs, and without the files around it."""
    line = 'zcat a.gz | ssh router jrc pledge import - --map "A B=psk" > out && sudo -u jrc jrc run'
    expected = [["pledge", "import", "-", "--map", "A B=psk"], ["run"]]
    assert expected == list(simple_commands(line))


@pytest.mark.parametrize("document", with_commands(has_daemon=False))
def test_the_commands_of_a_document_work_in_their_order(document: str) -> None:
    """Pasted one by one; `SCENES` says what they find, and what does not end by itself."""
    try_all(document)


@pytest.mark.parametrize("command", examples_with(has_daemon=False))
def test_the_examples_of_a_command_work(command: str) -> None:
    """Those of `--help`, but for what is tried in a guide."""
    try_examples(command)


def test_nobody_is_told_to_take_the_program_from_an_index() -> None:
    """There, somebody else has its name."""
    taken = re.compile(r"pip3? install [^\n#]*(?<![\w./-])jrc\b")
    told = [path.name for path in documents() if taken.search(path.read_text(encoding="utf-8"))]
    assert [] == told
    assert taken.search("pip install 'jrc[postgresql]'")
    assert not taken.search("pip install dist/jrc-0.1.0-py3-none-any.whl")


def test_no_scene_is_left_of_a_command_that_is_gone() -> None:
    """Each exception is of a line that stands in its document."""
    written = {(command.document, command.text) for command in commands()}
    named = {
        (document, line)
        for document, scene in SCENES.items()
        for line in (*scene.lines, *scene.before)
    }
    assert set() == named - written


def test_commands_stand_in_blocks_that_say_so() -> None:
    """A block of another language has none that nobody would try; each has a language."""
    programs = {without_who(each.words)[0] for each in commands()} - {"jrc"}
    names = "|".join(map(re.escape, sorted(programs)))
    begins = re.compile(rf"^(?:\$ |(?:sudo |ssh \w+ )?(?:jrc (?!= )|(?:{names}) ))", re.MULTILINE)
    assert begins.search("x\nsystemctl reload prometheus\n")
    others = [block for block in blocks() if block.language not in (SHELL, CONSOLE)]
    kept = [block for block in others if begins.search(block.text) and not is_usage(block)]
    assert [] == [(block.document, block.line) for block in kept]
    assert [] == [(block.document, block.line) for block in others if not block.language]


def test_no_block_is_one_by_its_indentation_alone() -> None:
    """It says no language, so that nobody would try a command in it."""
    assert ["jrc status", "ls"] == indented(
        "So:\n\n    jrc status\n\n```sh\n\n    x\n```\n\n\tls\n"
    )
    found = {str(path): indented(path.read_text(encoding="utf-8")) for path in documents()}
    assert {} == {name: lines for name, lines in found.items() if lines}


def is_usage(block: Block) -> bool:
    """Whether it is the first line of a command's `--help`."""
    return block.document == OF_HELP and "[OPTIONS]" in block.text


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.name))
def test_commands_in_sentences_exist_with_their_options(path: Any) -> None:
    """`jrc pledge revoke ID --yes` in a sentence may leave arguments out, and names no option
    that is not there."""
    wrong = []
    for text in _INLINE.findall(_FENCED.sub("", path.read_text(encoding="utf-8"))):
        shown = _SHORTHAND.split(text)[0].replace('"', "")
        try:
            parse(next(simple_commands(f"jrc {shown}")), whole=False)
        except (UsageError, ValueError, StopIteration) as error:
            wrong.append((text, str(error)))
    assert [] == wrong
