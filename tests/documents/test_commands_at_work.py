"""The commands that documents give to a registrar that runs, or begin one with."""

import pytest

from tests.documents.trying import try_all, with_commands


@pytest.mark.parametrize("document", with_commands(has_daemon=True))
def test_the_commands_of_a_document_work_in_their_order(document: str) -> None:
    """Pasted one by one; `SCENES` says what they find, and what does not end by itself."""
    try_all(document)
