"""Rate and blocklist from the database, and a proxy whose own state is damaged."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jrc import config
from jrc.app.proxy import Limits, limits_of
from jrc.app.proxy_host import ProxyHost
from jrc.config import Proxy
from jrc.errors import ExitCode, OperatorError
from jrc.policy.interface import Interface
from jrc.service.enroll import revoke_pledge
from tests.desk import ACTOR, Desk, pledge_id

PSK = "000102030405060708090a0b0c0d0eff"


def revoke(desk: Desk, *numbers: int) -> None:
    for number in numbers:
        identifier = pledge_id(number)
        desk.write(
            lambda tx: revoke_pledge(tx, identifier, actor=ACTOR, reason="lost", agreed=True)  # noqa: B023
        )


def test_p04_p05_the_only_network_gives_rate_and_revoked_pledges(desk: Desk) -> None:
    """RFC 9031 §8.4.2, without a name in [proxy]."""
    desk.network(join_rate_bytes_per_s=70)
    for number in (1, 2, 3):
        desk.pledge(number, networks=("lab",))
    revoke(desk, 1, 3)
    blocked = (pledge_id(1).value, pledge_id(3).value)
    assert Limits("lab", 70, blocked) == desk.read(lambda tx: limits_of(tx, None))


def test_p05_of_several_networks_the_named_one_counts(desk: Desk) -> None:
    """Without a name there is no rate, and everybody revoked is dropped."""
    desk.network(join_rate_bytes_per_s=70)
    desk.network("two", b"\x02", join_rate_bytes_per_s=80)
    desk.pledge(1, networks=("lab",))
    desk.pledge(2, networks=("two",))
    revoke(desk, 1, 2)
    named = Limits("two", 80, (pledge_id(2).value,))
    assert named == desk.read(lambda tx: limits_of(tx, "two"))
    everybody = (pledge_id(1).value, pledge_id(2).value)
    assert Limits(None, None, everybody) == desk.read(lambda tx: limits_of(tx, None))
    assert Limits(None, None, everybody) == desk.read(lambda tx: limits_of(tx, "none"))


def test_p05_more_revoked_pledges_than_a_page_are_all_found(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read in pages."""
    monkeypatch.setattr("jrc.app.proxy._PAGE", 2)
    desk.network()
    numbers = range(1, 6)
    for number in numbers:
        desk.pledge(number, networks=("lab",))
    revoke(desk, *numbers)
    found = desk.read(lambda tx: limits_of(tx, None)).blocked
    assert tuple(pledge_id(number).value for number in numbers) == found


class NoInterface:
    """A watcher of an interface that never comes."""

    current: Interface | None = None

    def __init__(self, _name: str, told: Callable[[Interface | None], None]) -> None:
        self._told = told

    async def start(self) -> None:
        self._told(None)

    async def stop(self) -> None:
        pass


def settings(folder: Path) -> Proxy:
    psk = folder / "psk"
    psk.write_text(PSK)
    psk.chmod(0o600)
    own = f'pledge_id = "0102"\npsk_file = "{psk}"\n'
    text = f'[proxy]\ninterface = "none0"\njrc = "[::1]:9"\n{own}'
    proxy = config.parse(text).proxy
    assert proxy is not None
    return proxy


def status_of(proxy: Proxy) -> dict[str, Any]:
    """What a proxy with these settings says once it has started."""

    async def run() -> dict[str, Any]:
        host = ProxyHost(proxy, NoInterface, lambda error: None)
        try:
            await host.start()
            return {**host.status(), "joined_metric": host.figures().joined}
        finally:
            await host.stop()

    return asyncio.run(run())


def test_b07_with_a_damaged_state_it_serves_and_does_not_join(tmp_path: Path) -> None:
    """Neighbours can join at the default rate; status and log say what to do."""
    (tmp_path / "psk.state").write_text("{")
    found = status_of(settings(tmp_path))
    assert (found["joined"], found["joined_metric"]) == (False, False)
    assert found["join_rate_bytes_per_s"] is None
    assert "psk.state is damaged" in found["why"]
    assert found["source"] is not None
    assert (tmp_path / "psk.state").read_text() == "{"


def test_a_good_state_is_made_beside_the_key(tmp_path: Path) -> None:
    """Where no state_file is named."""
    found = status_of(settings(tmp_path))
    assert (found["joined"], found["why"]) == (False, "there is no such interface")
    assert (tmp_path / "psk.state.lock").exists()


def test_b04_a_credential_in_use_stops_a_second_proxy(tmp_path: Path) -> None:
    """Two processes would use one number twice."""

    async def run() -> None:
        proxy = settings(tmp_path)
        first = ProxyHost(proxy, NoInterface, lambda error: None)
        with pytest.raises(OperatorError) as refused:
            ProxyHost(proxy, NoInterface, lambda error: None)
        assert refused.value.exit_code is ExitCode.REFUSED
        await first.stop()

    asyncio.run(run())
