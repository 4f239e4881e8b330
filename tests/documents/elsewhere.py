"""Commands of documents that are not pasted into the sandbox: why, and who tries them."""

import re
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from tests.documents.blocks import CHECKOUT, Command, below

BOOTED = frozenset(
    ("systemctl", "journalctl", "systemd-creds", "jrc-offline", "deploy/systemd/install.sh")
)
"""Programs that want a host which systemd has booted."""
HOST = frozenset(
    ("createuser", "createdb", "groupdel", "install", "rsync", "find", "rm", "mv", "chown")
)
"""They change the host, or its users, where documents have them."""
ENGINES = frozenset(("docker", "podman"))
"""No Docker is to be had for tests; what it is told is held against the files it would read."""
IF_THERE: Mapping[str, tuple[str, ...]] = {
    "cargo": ("cargo",),
    "openssl": ("openssl",),
    "curl": ("curl",),
    "promtool": ("promtool",),
    "cc": ("cc", "-lnettle"),
    "cmake": ("cmake", "cc", "-lnettle"),
    "./device": ("cc",),
    "./join": ("cc", "-lnettle"),
}
"""Programs, and what they want that not every host has."""
_NETTLE = Path("/usr/include/nettle/ccm.h")
OTHERS: Mapping[str, str] = {
    "aiocoap-client": "asks a device; tests/provision/test_public_keys.py has its reader and EDHOC",
    "git pull": "gets what somebody has published",
    "/usr/local/lib/jrc/bin/python": "is what the install script makes",
}
_FOLLOWED = re.compile(r'below\("([^"]+)", "([^"]+)"\)')
_PASTED = re.compile(r'\.paste\("([^"]+)", (\d+)')


def why_not(command: Command) -> str | None:
    """Why the sandbox does not try it; None if it does."""
    words = without_who(command.words)
    if words[0] in BOOTED | HOST:
        return "it changes the host"
    if words[0] in ENGINES:
        return "it needs a container engine"
    for name in (words[0], " ".join(words[:2])):
        if name in OTHERS:
            return OTHERS[name]
    missing = [need for need in IF_THERE.get(words[0], ()) if not _is_there(need, command)]
    return f"there is no {', '.join(missing)} on this host" if missing else None


def _is_there(need: str, command: Command) -> bool:
    if need == "-lnettle":
        return _NETTLE.exists() or (command.words[0] == "cc" and need not in command.words)
    return shutil.which(need) is not None


def without_who(words: list[str]) -> list[str]:
    """The words behind variables and `sudo`."""
    words = [word for word in words if "=" not in word]
    if words[0] == "sudo":
        words = words[3:] if words[1] == "-u" else words[1:]
    return words


@cache
def followed() -> frozenset[tuple[str, str]]:
    """Documents and texts of the commands in blocks that tests of a booted host follow."""
    sources = [
        path.read_text(encoding="utf-8") for path in (CHECKOUT / "tests/systemd").glob("*.py")
    ]
    return frozenset(
        (document, text)
        for source in sources
        for document, block in _blocks(source)
        for text in block
    )


def _blocks(source: str) -> Iterator[tuple[str, list[str]]]:
    """Document and commands of each block that a test takes by its chapter's name."""
    for document, heading in _FOLLOWED.findall(source):
        yield from ((document, block) for block in below(document, heading))
    for heading, number in _PASTED.findall(source):
        yield "docs/systemd.md", below("docs/systemd.md", heading)[int(number) - 1]
