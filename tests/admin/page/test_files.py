"""The files of the page: what they ask for, and what they must not do."""

import re

from jrc.admin.page.feed import BEAT_S
from jrc.admin.page.files import page_files

_URL = re.compile(r"https?://[^\s\"'`<>]+")
_NAMESPACE = "http://www.w3.org/2000/svg"
_UNSAFE = ("innerHTML =", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function(")


def _texts() -> dict[str, str]:
    return {name: file.body.decode() for name, file in page_files().items()}


def test_no_file_names_another_host() -> None:
    """Nothing is loaded from elsewhere: the namespace of pictures is a name, and no address."""
    for name, text in _texts().items():
        assert set(_URL.findall(text)) <= {_NAMESPACE}, name


def test_text_never_becomes_markup() -> None:
    """Labels are an operator's, and identifiers of strangers a stranger's."""
    for name, text in _texts().items():
        assert not [word for word in _UNSAFE if word in text], name


def test_the_document_has_nothing_inline() -> None:
    """No script, no style and no handler that a policy would have to let through."""
    index = _texts()["index.html"]
    assert not re.search(r"<script(?![^>]* src=)|<style|\son\w+=|\sstyle=", index)


def test_whatever_is_imported_is_there() -> None:
    """And every file is used by another one."""
    texts = _texts()
    imported = {
        match for text in texts.values() for match in re.findall(r'from "\./([\w.]+)"', text)
    }
    linked = set(re.findall(r"/page/static/([\w.]+)", texts["index.html"]))
    assert imported | linked | {"index.html"} == texts.keys()


def test_the_page_waits_for_more_than_one_beat_of_the_feed_and_not_for_long() -> None:
    """One that is late ends nothing; a host that is gone is noticed within a minute."""
    (given,) = re.findall(r"^const SILENCE_MS = ([\d_]+);$", _texts()["feed.js"], re.MULTILINE)
    silence_s = int(given) / 1000
    assert 2 * BEAT_S < silence_s <= 60
