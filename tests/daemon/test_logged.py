"""What a running daemon writes into its log of joins, and what it takes at SIGHUP."""

import os
import signal
import time
from collections.abc import Callable

from tests.daemon.site import PATIENCE_S, Daemon, Site
from tests.daemon.wire import Wire


def lines(daemon: Daemon, event: str) -> list[dict[str, object]]:
    """Those of an event, the oldest first."""
    return [line for line in daemon.events() if line["event"] == event]


def wait_for(daemon: Daemon, event: str, count: int = 1) -> list[dict[str, object]]:
    """As many lines of an event, once they have come."""
    return _poll(lambda: found if len(found := lines(daemon, event)) >= count else [])


def _poll(look: Callable[[], list[dict[str, object]]]) -> list[dict[str, object]]:
    ends_s = time.monotonic() + PATIENCE_S
    while not (found := look()):
        assert time.monotonic() < ends_s, "it did not come"
        time.sleep(0.01)
    return found


def reload(daemon: Daemon, *changes: tuple[str, str]) -> None:
    """SIGHUP after changes of the config file."""
    for old, new in changes:
        daemon.site.change(old, new)
    os.kill(daemon.pid, signal.SIGHUP)


def test_each_join_has_a_line_and_no_stranger_has(site: Site) -> None:
    """With the pledge, its network, what came of it and how long it took."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        device = daemon.enroll()
        pledge = device.pledge()
        wire.join(pledge)
        wire.join(pledge)
        refused = daemon.enroll().pledge(network=b"\x99\x99")
        wire.refusal(refused)
        wire.send(b"\x00" * 20)
        joins = wait_for(daemon, "join", 3)
        assert 0 == daemon.stop()
    assert [device.identifier.hex()] * 2 + [refused.identifier.hex()] == [
        line["pledge"] for line in joins
    ]
    assert ["joined", "joined", "unknown_network"] == [line["outcome"] for line in joins]
    assert ["lab", "lab"] == [line["network"] for line in joins[:2]]
    assert all(float(str(line["took_ms"])) > 0 for line in joins)
    assert {"::1"} == {line["peer"] for line in joins}
    assert 3 == len(lines(daemon, "join"))


def test_no_key_is_in_the_log_of_joins(site: Site) -> None:
    """Neither a pledge's nor the network's."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        device = daemon.enroll()
        configuration = wire.join(device.pledge())
        wait_for(daemon, "join")
        daemon.stop()
    keys = [device.psk.reveal(), *(key.value.reveal() for key in configuration.keys)]
    assert len(keys) > 1
    written = "".join(daemon.log).lower()
    assert [key for key in keys if key.hex() in written] == []


def test_sighup_takes_settings_while_joins_go_on(site: Site) -> None:
    """What can't be taken is named in the log and in `jrc status`."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        device = daemon.enroll()
        pledge = device.pledge()
        wire.join(pledge)
        wait_for(daemon, "join")
        assert daemon.api("GET", "/v1/status")["weak_keys_allowed"] is False
        more = 'format = "json"\n[lab]\nallow_weak_keys = true\n[events]\nkeep_days = 30\n'
        reload(daemon, ('format = "json"\n', more), ('file = "jrc.instance"', 'file = "other"'))
        (said,) = wait_for(daemon, "reloaded")
        assert {"events.keep_days", "lab.allow_weak_keys"} == set(said["taken"])  # type: ignore[call-overload]
        (needed,) = wait_for(daemon, "restart_needed")
        assert "instance.file" == needed["settings"]
        status = daemon.api("GET", "/v1/status")
        assert status["weak_keys_allowed"] is True
        assert 30 == status["events"]["keep_days"]  # type: ignore[index]
        assert ["instance.file"] == status["config"]["needs_restart"]  # type: ignore[index]
        assert "not in force before a restart: instance.file" in site.run("status").stdout
        reload(daemon, ('level = "info"', 'level = "warning"'), ('"other"', '"jrc.instance"'))
        _poll(lambda: [daemon.api("GET", "/v1/status")] if _is_settled(daemon) else [])
        wire.join(pledge)
        daemon.stop()
    assert 1 == len(lines(daemon, "join"))


def _is_settled(daemon: Daemon) -> bool:
    told = daemon.api("GET", "/v1/status")["config"]
    return [] == told["needs_restart"] if isinstance(told, dict) else False


def test_a_file_that_cannot_be_used_changes_nothing(site: Site) -> None:
    """The daemon goes on as before, and says so."""
    with site.start() as daemon, Wire(daemon.address) as wire:
        reload(daemon, ('level = "info"', 'level = "loud"'))
        (said,) = wait_for(daemon, "reload_refused")
        assert "log.level" in str(said["error"])
        status = daemon.api("GET", "/v1/status")
        assert "log.level" in str(status["config"])
        wire.join(daemon.enroll().pledge())
        assert 0 == daemon.stop()
