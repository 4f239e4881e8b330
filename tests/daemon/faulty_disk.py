"""Run in a mount namespace of its own: a registrar on a disk that fills up, or that breaks.

``python -m tests.daemon.faulty_disk full|broken FOLDER`` prints what came of it as JSON.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from jrc.lab.pledge import Joined
from tests.daemon.site import Daemon, Site
from tests.daemon.test_mishaps import is_ready, until
from tests.daemon.wire import Wire

TMPFS = ("-t", "tmpfs", "-o", "size=4m", "jrc")
IMAGE_MIB = 24
PIECE = 4096


def mount(*arguments: str) -> None:
    subprocess.run(("mount", *arguments), check=True, capture_output=True)


def fill(path: Path) -> None:
    """Take all the room there is."""
    with path.open("ab", buffering=0) as file:
        try:
            while file.write(bytes(PIECE)):
                pass
        except OSError:
            return


def said(daemon: Daemon, event: str) -> list[str]:
    """The causes of the log lines of this kind."""
    return [str(line.get("cause")) for line in daemon.events() if line["event"] == event]


def seen(daemon: Daemon) -> dict[str, object]:
    """What the operator sees of it."""
    metrics = daemon.metrics()
    done = daemon.site.attempt("status")
    return {
        "readyz": daemon.get("/readyz").json()["why"],
        "trouble": metrics['jrc_trouble{cause="disk_full"}'],
        "ready": metrics["jrc_ready"],
        "status": [done.returncode, "make room" in done.stdout],
        "healthz": daemon.get("/healthz").status_code,
    }


def full(folder: Path) -> dict[str, object]:
    """Room goes while it runs, and comes back."""
    mount(*TMPFS, str(folder))
    site = Site.make(folder / "site")
    site.add_lab()
    filler = folder / "filler"
    found: dict[str, object] = {}
    with site.start() as daemon, Wire(daemon.address) as wire:
        first, second = daemon.enroll().pledge(), daemon.enroll().pledge()
        wire.join(first)
        fill(filler)
        wire.send(second.request())
        until(lambda: not is_ready(daemon))
        found["quiet"] = wire.is_quiet()
        found["seen"] = seen(daemon)
        filler.unlink()
        until(lambda: is_ready(daemon))
        found["joined"] = [_joins(wire, each) for each in (first, second)]
        fill(filler)
        found["code"] = daemon.stop()
        found["began"], found["ended"] = (
            said(daemon, event) for event in ("joins_not_answered", "joins_answered_again")
        )
    filler.unlink()
    with site.start() as daemon, Wire(daemon.address) as wire:
        found["after"] = _joins(wire, second)
    return found


def _joins(wire: Wire, pledge: object) -> bool:
    return isinstance(pledge.receive(wire.ask(pledge.request())), Joined)  # type: ignore[attr-defined]


def broken(folder: Path) -> dict[str, object]:
    """The file system gives up, as it does for a broken disk, until it is mounted anew."""
    image = folder / "image"
    with image.open("wb") as file:
        file.truncate(IMAGE_MIB << 20)
    subprocess.run(("mkfs.ext4", "-q", str(image)), check=True, capture_output=True)
    place = folder / "disk"
    place.mkdir()
    mount("-o", "loop", str(image), str(place))
    found: dict[str, object] = {}
    try:
        site = Site.make(place / "site")
        site.add_lab()
        with site.start() as daemon, Wire(daemon.address) as wire:
            pledge = daemon.enroll().pledge()
            wire.join(pledge)
            mount("-o", "remount,abort", str(place))
            request = pledge.request()
            wire.send(request)
            found["code"] = daemon.wait_for_the_end()
            found["quiet"] = wire.is_quiet()
            found["stopping"] = [e["error"] for e in daemon.events() if e["event"] == "stopping"]
        refused = site.attempt("run")
        found["refused"] = [refused.returncode, "Traceback" in refused.stderr]
        subprocess.run(("umount", str(place)), check=True)
        subprocess.run(("e2fsck", "-p", str(image)), check=False, capture_output=True)
        mount("-o", "loop", str(image), str(place))
        with site.start() as daemon, Wire(daemon.address) as wire:
            found["joined"] = isinstance(pledge.receive(wire.ask(request)), Joined)
    finally:
        subprocess.run(("umount", str(place)), check=False)
    return found


KINDS: dict[str, Callable[[Path], dict[str, object]]] = {"full": full, "broken": broken}

if __name__ == "__main__":
    os.chdir("/")
    print(json.dumps(KINDS[sys.argv[1]](Path(sys.argv[2]))))
