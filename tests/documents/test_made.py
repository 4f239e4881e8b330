"""What is made from the code is as the code is."""

import re
import shutil
import subprocess

import pytest

from docs.made import config
from docs.made.commands import tree
from docs.made.files import CHECKOUT, files
from docs.made.pictures import FOLDER, drawn_from
from docs.made.reasons_page import page as reasons_page
from docs.made.sequence import Chart, Says
from docs.made.states import DIAGRAMS, rollover
from jrc.config import ConsolePattern, Settings
from jrc.errors import Cause, Reason
from jrc.policy.rollover import Phase
from tests.documents.sandbox import Sandbox


def test_each_file_that_is_made_is_what_the_code_gives_now() -> None:
    """If not: `make reference`."""
    stale = [
        str(path.relative_to(CHECKOUT))
        for path, text in files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    assert [] == stale


def test_no_file_is_left_of_a_command_that_is_gone() -> None:
    """What lies in the folders of made files is made."""
    made = set(files())
    for folder in ("deploy/man", "deploy/completions"):
        assert {path for path in (CHECKOUT / folder).rglob("*") if path.is_file()} <= made


def test_the_page_of_settings_has_every_key_with_what_it_is_for() -> None:
    """A key without a comment in the template is refused."""
    found = {section.name: {key.name for key in section.keys} for section in config.sections()}
    assert set(Settings.model_fields) == {name.partition(".")[0] for name in found}
    assert set(ConsolePattern.model_fields) == found["provision.pattern"]
    assert all(key.text for section in config.sections() for key in section.keys)


def test_the_page_of_reasons_has_every_word() -> None:
    """Those of datagrams and joins, and those of troubles."""
    named = set(re.findall(r"^\| `(\w+)`", reasons_page(), re.MULTILINE))
    assert {*Reason, *Cause} <= named


def test_every_command_says_what_it_does_and_shows_an_example() -> None:
    """Groups need none, as their commands have them."""
    lacking = [
        each.name
        for each in tree().walk()
        if not each.summary or not (each.examples or each.commands)
    ]
    assert [] == lacking


@pytest.mark.parametrize("name", DIAGRAMS)
def test_each_state_diagram_was_drawn_from_the_table_that_decides(name: str) -> None:
    """If not: `make pictures`."""
    assert DIAGRAMS[name] == drawn_from((FOLDER / f"{name}.svg").read_text(encoding="utf-8"))


def test_the_diagram_of_a_rollover_has_every_phase() -> None:
    """`paused` is drawn once for each phase that it holds."""
    drawn = {edge.end.partition(" ")[0] for edge in rollover()}
    assert set(Phase) == drawn


def test_a_chart_shows_each_step_also_to_who_can_not_see_it() -> None:
    """Text in a picture is escaped, and its description has the steps in order."""
    chart = Chart(
        "A & B", ("a", "b"), (Says("a", "b", "1 < 2"), Says("b", "a", "no", is_lost=True))
    )
    drawn = chart.draw()
    assert "<title>A &amp; B</title><desc>a to b: 1 &lt; 2; b to a: no</desc>" in drawn
    assert 1 == drawn.count('class="silent"')


def test_man_takes_each_man_page_without_a_warning() -> None:
    """By mandoc's lint, or by groff where that alone is there; pages have a version and no date."""
    pages = sorted((CHECKOUT / "deploy/man").rglob("*.[15]"))
    checks = (("mandoc", "-T", "lint", "-W", "warning"), ("groff", "-man", "-ww", "-z", "-Tutf8"))
    command = next((each for each in checks if shutil.which(each[0])), None)
    if command is None:
        pytest.skip("neither mandoc nor groff is here")
    checked = subprocess.run([*command, *pages], check=False, capture_output=True, text=True)
    said = (checked.stdout + checked.stderr).splitlines()
    assert [] == [line for line in said if "missing date" not in line]


@pytest.mark.parametrize(
    ("shell", "name"), [("bash", "jrc.bash"), ("zsh", "_jrc"), ("fish", "jrc.fish")]
)
def test_a_shell_reads_its_completion_without_an_error(shell: str, name: str) -> None:
    """By the shell's own look at its syntax."""
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    file = CHECKOUT / "deploy/completions" / name
    done = subprocess.run([shell, "-n", file], check=False, capture_output=True, text=True)
    assert (0, "") == (done.returncode, done.stderr)


def test_bash_completes_what_the_file_of_completions_is_for() -> None:
    """As bash calls it: with the words typed so far."""
    asked = (
        f". {CHECKOUT}/deploy/completions/jrc.bash; COMP_WORDS=(jrc rollover st) COMP_CWORD=2;"
        " _jrc_completion jrc; echo ${COMPREPLY[@]}"
    )
    with Sandbox() as sandbox:
        done = sandbox.give(f"bash -c '{asked}'")
    assert ["start", "status"] == sorted(done.stdout.split())
