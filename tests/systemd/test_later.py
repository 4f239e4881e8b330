"""What the install adds for systemd 253 and later: on Debian 13, where there is one to boot."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.systemd.conftest import Router, booted
from tests.systemd.machine import PATIENCE_S
from tests.wheels import fetch

pytestmark = pytest.mark.systemd

TREE = Path("/var/cache/jrc/debian-13")
"""As `make debian-13` leaves it."""
CONFIG = "etc/jrc/config.toml"
FROZEN = "/sys/fs/cgroup/system.slice/jrc.service/cgroup.freeze"
"""A daemon that is stopped by a signal is woken by systemd as it is told to reload."""


@pytest.fixture(scope="module")
def later(
    tmp_path_factory: pytest.TempPathFactory, release: Path, pytestconfig: pytest.Config
) -> Iterator[Router]:
    """With the registrar installed as the page says, and started."""
    if not TREE.is_dir():
        pytest.skip(f"there is no {TREE}: `make debian-13` makes it")
    (python,) = (TREE / "usr/bin").glob("python3.[0-9]*")
    version = python.name.removeprefix("python")
    wheels = pytestconfig.cache.mkdir(f"wheels-{version}")
    fetch(wheels, "run.txt", version=version)
    with booted(tmp_path_factory.mktemp("later") / "root", TREE) as router:
        router.unpack(release)
        router.put_wheels(wheels)
        router.paste("## Install", 1)
        yield router


def test_the_install_takes_the_type_that_this_systemd_knows(later: Router) -> None:
    """And nothing of the units is unknown to it, or looks wrong."""
    assert "notify-reload" == later.property("jrc.service", "Type")
    assert "active" == later.property("jrc.service", "ActiveState")
    units = later.root / "etc/systemd/system"
    names = sorted(file.name for file in units.glob("jrc*") if file.is_file())
    assert 11 == len(names)
    done = later.attempt("systemd-analyze", "verify", *names)
    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)


def test_a_reload_returns_when_the_settings_are_in_force(later: Router) -> None:
    """While the daemon stands still it waits, and no longer than until the daemon says so."""
    file = later.root / CONFIG
    file.write_text(file.read_text().replace('level = "info"', 'level = "debug"'))
    pid = later.pid()
    state = ("jrc.service", "ActiveState")
    later.type(f"echo 1 > {FROZEN}")
    try:
        reload = later.start("systemctl", "reload", "jrc")
        later.wait_for(lambda: "reloading" == later.property(*state), "a reload under way")
        assert [] == later.entries("reloaded")
        assert reload.poll() is None
    finally:
        later.type(f"echo 0 > {FROZEN}")
    said, _ = reload.communicate(timeout=PATIENCE_S)
    assert ("", 0) == (said, reload.returncode)
    (entry,) = later.entries("reloaded")
    assert "log.level" in entry["MESSAGE"]
    assert ("active", pid) == (later.property(*state), later.pid())


def test_a_reload_of_what_cant_be_used_ends_too(later: Router) -> None:
    """The daemon goes on as it was, and says why."""
    file = later.root / CONFIG
    before = file.read_text()
    file.write_text(f"{before}\n[nothing]\n")
    later.run("systemctl", "reload", "jrc")
    assert 1 == len(later.entries("reload_refused"))
    assert "active" == later.property("jrc.service", "ActiveState")
    file.write_text(before)
