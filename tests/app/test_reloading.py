"""SIGHUP: what a running daemon takes, what needs a restart, and a file that can't be used."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from jrc import config
from jrc.app.reloading import TAKEN, Reloading, Taking, differences, is_taken, with_taken
from jrc.config import Settings
from tests.forked import CHECKOUT

PROXY = '[proxy]\ninterface = "lowpan0"\njrc = "[2001:db8::1]:5683"\n'
INSTALLER = '[[installer]]\nnetwork = "lab"\nkind = "exec"\ncommand = ["/usr/bin/true"]\n'


def settings(text: str = "") -> Settings:
    return config.parse(text)


class Daemon:
    """What there is to reload; the file is ``text``."""

    def __init__(self, text: str, notify: Path) -> None:
        self.text = text
        self.taken: list[Settings] = []
        self.reloading = Reloading(
            settings(text), lambda: settings(self.text), self.taken.append,
            {"NOTIFY_SOCKET": str(notify)}, lambda: 0,
        )  # fmt: skip

    def reload(self, text: str) -> list[str]:
        """The events that are logged."""
        self.text = text
        with capture_logs() as said:
            self.reloading.reload()
        return [line["event"] for line in said]

    def status(self, key: str) -> object:
        return self.reloading.status()[key]


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Callable[[], str]]:
    """What the service manager was told last."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(tmp_path / "notify"))
        listening.setblocking(False)
        yield lambda: listening.recv(4096).decode()


@pytest.fixture
def daemon(tmp_path: Path, manager: object) -> Daemon:
    return Daemon("", tmp_path / "notify")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[log]\nlevel = "debug"', "log.level"),
        ("[rollover]\nrate_bytes_per_s = 7", "rollover.rate_bytes_per_s"),
        ("[rollover]\nquorum = 0.95", "rollover.quorum"),
        ("[events]\nkeep_days = 30", "events.keep_days"),
        ("[backup]\nkeep = 3", "backup.keep"),
        ("[lab]\nallow_weak_keys = true", "lab.allow_weak_keys"),
    ],
)
def test_what_a_running_daemon_takes_is_in_force(daemon: Daemon, text: str, name: str) -> None:
    """Once; the same file again changes nothing."""
    assert ["reloaded"] == daemon.reload(text)
    (taken,) = daemon.taken
    assert [name] == differences(settings(), taken)
    assert [] == daemon.status("needs_restart")
    assert ["reloaded"] == daemon.reload(text)
    assert 1 == len(daemon.taken)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('[coap]\nlisten = ["[::1]:5683"]', "coap.listen"),
        ('[database]\nurl = "sqlite:////srv/jrc.db"', "database.url"),
        ('[keys]\ncredential = "jrc-kek"', "keys.kek_file"),
        ("[metrics]", "metrics"),
        (PROXY, "proxy"),
        (INSTALLER, "installer"),
        ("[rollover]\nmax_retransmit = 2", "rollover.max_retransmit"),
    ],
)
def test_what_needs_a_restart_is_named_and_not_taken(daemon: Daemon, text: str, name: str) -> None:
    """In the log and in `jrc status`, until the file says again what is in force."""
    assert ["reloaded", "restart_needed"] == daemon.reload(text)
    assert [] == daemon.taken
    needed = daemon.status("needs_restart")
    assert isinstance(needed, list)
    assert name in needed
    assert ["reloaded"] == daemon.reload("")
    assert [] == daemon.status("needs_restart")


def test_of_a_file_with_both_each_goes_its_way(daemon: Daemon) -> None:
    """The one is in force though the other is not."""
    text = '[log]\nlevel = "warning"\n[admin]\nsocket = "/run/jrc/other.sock"'
    assert ["reloaded", "restart_needed"] == daemon.reload(text)
    assert "warning" == daemon.taken[0].log.level
    assert settings().admin == daemon.taken[0].admin
    assert ["admin.socket"] == daemon.status("needs_restart")


@pytest.mark.parametrize("text", ["[log", '[log]\nlevel = "loud"', "[nobody]\nknows = 1"])
def test_a_file_that_cannot_be_used_changes_nothing(daemon: Daemon, text: str) -> None:
    """It is said, and once it is mended all is well."""
    daemon.reload('[log]\nlevel = "debug"\n[metrics]')
    assert ["reload_refused"] == daemon.reload(text)
    assert 1 == len(daemon.taken)
    assert "config.toml" in str(daemon.status("error"))
    assert ["metrics"] == daemon.status("needs_restart")
    assert ["reloaded"] == daemon.reload('[log]\nlevel = "debug"')
    assert daemon.status("error") is None


def test_the_service_manager_hears_when_it_begins_and_when_it_is_over(
    daemon: Daemon, manager: Callable[[], str]
) -> None:
    """sd_notify(3): Type=notify-reload waits for both."""
    daemon.reload("[metrics]")
    begun, over = manager(), manager()
    assert begun.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert begun.partition("USEC=")[2].isdigit()
    assert "READY=1\nSTATUS=a restart is needed for metrics" == over
    daemon.reload("[nobody]\nknows = 1")
    manager()
    over = manager()
    assert over.startswith("READY=1\nSTATUS=the config file can't be used")
    assert 2 == len(over.splitlines())


def test_a_file_that_is_gone_is_one_that_cannot_be_used(tmp_path: Path) -> None:
    """An editor that replaces it may be in between."""

    def read() -> Settings:
        return config.load(tmp_path / "gone.toml")

    taken: list[Settings] = []
    reloading = Reloading(settings(), read, taken.append, {}, lambda: 1500)
    with capture_logs() as said:
        reloading.reload()
    assert ["reload_refused"] == [line["event"] for line in said]
    assert "1970-01-01T00:00:01.500Z" == reloading.status()["read_again"]
    assert [] == taken


TAKEN_BY_NAME = {
    "log": {"level", "format"},
    "rollover": {"rate_bytes_per_s", "in_flight", "deadline_s", "guard_time_s", "quorum"}
    | {"every_days", "on_6lbr_join"},
    "backup": {"every_h", "keep", "key_file", "recipients"},
    "handover": {"key", "builders"},
    "events": {"keep_days", "keep_at_least"},
    "proxy": {"join_rate_bytes_per_s", "blocklist"},
    "lab": {"allow_weak_keys"},
}
"""Each has its effect in `test_reloaded.py`, or where that says."""


def test_what_is_taken_is_what_has_an_effect() -> None:
    """A key that is added here wants a test of what it does in a daemon that runs."""
    assert TAKEN_BY_NAME == TAKEN


def test_the_documents_name_what_is_taken() -> None:
    """`All else needs a restart` is as true as the table above it."""
    text = (CHECKOUT / "docs/systemd.md").read_text(encoding="utf-8")
    begin = text.index("| taken at a reload | |")
    rows = re.findall(
        r"^\| `\[(\w+)\]` \| (.*) \|$", text[begin : text.index("All else", begin)], re.M
    )
    assert TAKEN == {section: set(re.findall(r"`(\w+)`", keys)) for section, keys in rows}


def test_every_key_that_is_taken_is_one_of_the_config_file() -> None:
    """A key that was renamed would need a restart in silence."""
    for section, keys in TAKEN.items():
        annotation = Settings.model_fields[section].annotation
        models = [annotation, *getattr(annotation, "__args__", ())]
        fields = [m.model_fields for m in models if hasattr(m, "model_fields")]
        assert keys <= fields[0].keys(), section


def test_no_key_of_a_section_that_is_not_there_is_taken() -> None:
    """A Join Proxy begins with a restart."""
    merged = with_taken(settings(), settings(PROXY + "join_rate_bytes_per_s = 7"))
    assert merged.proxy is None
    one = settings(PROXY)
    other = settings(PROXY + 'join_rate_bytes_per_s = 7\nblocklist = ["00124b0014b5b67e"]')
    names = differences(one, other)
    assert {"proxy.join_rate_bytes_per_s", "proxy.blocklist"} == set(names)
    assert all(map(is_taken, names))
    assert [] == differences(with_taken(one, other), other)


def test_each_part_whose_settings_may_change_is_given_them() -> None:
    """What is logged as taken is in force."""
    used: dict[str, object] = {}

    def part(name: str) -> Any:
        return SimpleNamespace(use=lambda section: used.update({name: section}))

    opened: Any = SimpleNamespace(settings=None, database=SimpleNamespace(on_border_router=None))
    names = ("logs", "updates", "rollovers", "events", "backups", "proxy")
    wanted = settings(PROXY)
    Taking(opened, *(part(name) for name in names))(wanted)
    assert used == {
        "logs": wanted.log, "updates": wanted.rollover, "rollovers": wanted.rollover,
        "events": wanted.events, "backups": wanted.backup, "proxy": wanted.proxy,
    }  # fmt: skip
    assert opened.settings is wanted
    assert opened.database.on_border_router is not None
