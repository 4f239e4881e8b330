"""Run inside a network namespace of its own: `jrc doctor` while an interface comes and goes.

``python -m tests.cli.doctor_namespace FOLDER`` prints statuses as JSON: check, then moment.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.cli.examined import statuses
from tests.cli.terminal import Terminal

RADIO = "lowpan0"
ADDRESS = "fe80::715c"
PATIENCE_S = 60.0


def ip(*words: str) -> str:
    """An ``ip`` command that must succeed."""
    return subprocess.run(("ip", *words), check=True, capture_output=True, text=True).stdout


def make() -> None:
    """The interface, up and with an address of its own."""
    ip("link", "set", "lo", "up")
    ip("link", "add", RADIO, "type", "veth", "peer", "name", "far")
    ip("link", "set", "far", "up")
    ip("link", "set", RADIO, "up")
    ip("-6", "address", "add", f"{ADDRESS}/64", "dev", RADIO, "nodad")
    deadline = time.monotonic() + PATIENCE_S
    while "tentative" in ip("-6", "address", "show", "dev", RADIO):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def main(folder: Path) -> None:
    """There, down, removed."""
    make()
    terminal = Terminal(folder)
    terminal.init()
    text = terminal.config.read_text()
    (listen,) = (line for line in text.splitlines() if line.startswith("listen"))
    text = text.replace(listen, f'listen = ["[{ADDRESS}%{RADIO}]:5683"]')
    proxy = f'\n[proxy]\ninterface = "{RADIO}"\njrc = "[2001:db8::1]:5683"\n'
    terminal.config.write_text(text + proxy)
    seen: dict[str, dict[str, list[str]]] = {"interface": {}, "addresses": {}}
    for moment, change in (
        ("there", ()),
        ("down", ("link", "set", RADIO, "down")),
        ("removed", ("link", "delete", RADIO)),
    ):
        if change:
            ip(*change)
        for name, found in seen.items():
            found[moment] = [status.value for status in statuses(terminal, name)]
    print(json.dumps(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
