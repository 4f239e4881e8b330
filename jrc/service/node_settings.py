"""What a network's nodes are to be told besides keys, written down under a number (§8.4.2)."""

from jrc.model import Network
from jrc.policy import windows
from jrc.policy.settings import Settings, effective_join_rate
from jrc.service.admitting import window_of
from jrc.service.registry import Registry


def settings_of(tx: Registry, network: Network) -> Settings:
    """What the nodes of a network are to be told as of now; the number is that of the last."""
    latest = tx.pushes.latest(network.id)
    blocked, _is_cut = tx.pledges.blocklist(network.id)
    return Settings(
        number=0 if latest is None else latest.number,
        join_rate_bytes_per_s=effective_join_rate(network, window_is_open=_is_open(tx, network)),
        jrc_address=network.jrc_address,
        blocked=tuple(blocked),
    )


def _is_open(tx: Registry, network: Network) -> bool:
    if not network.quiet_outside_windows:
        return True
    window = window_of(tx, network)
    return window is not None and windows.ended(window, tx.now_ms, tx.windows.seen_ms) is None


def has_changed(tx: Registry, network: Network) -> bool:
    """Whether nodes are to be told something else than what was written down last."""
    latest = tx.pushes.latest(network.id)
    return latest is None or not settings_of(tx, network).says_as(latest)


def settings_changed(tx: Registry, network_id: int) -> bool:
    """Write under the next number what a network's nodes are to be told, if it is something else.

    Whoever changes what it depends on calls this in the same transaction. The daemon does so for
    every network when anything has changed, so that nothing is forgotten; who joins in between is
    told once more than needed.
    """
    network = tx.networks.sound()[0].get(network_id)
    if network is None or not has_changed(tx, network):
        return False
    wanted, number = settings_of(tx, network), tx.pushes.next_number(network_id)
    tx.pushes.add_settings(network_id, wanted._replace(number=number))
    tx.policy_changed()
    return True
