"""The commands that documents give to a registrar that runs, or begin one with."""

import pytest

from tests.documents.trying import examples_with, try_all, try_examples, with_commands


@pytest.mark.parametrize("document", with_commands(has_daemon=True))
def test_the_commands_of_a_document_work_in_their_order(document: str) -> None:
    """Pasted one by one; `SCENES` says what they find, and what does not end by itself."""
    try_all(document)


@pytest.mark.parametrize("command", examples_with(has_daemon=True))
def test_the_examples_of_a_command_work(command: str) -> None:
    """Those of `--help`, but for what is tried in a guide."""
    try_examples(command)
