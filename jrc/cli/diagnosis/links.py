"""The interfaces that the settings name: there, up, with the addresses that they are for."""

import asyncio
from collections.abc import Iterator

from jrc.cli.checks import check_named, check_proxy, other_owner
from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, failure, success, warning
from jrc.cli.proxy import is_proxy_alone
from jrc.config import Proxy, Settings
from jrc.net.interfaces import look
from jrc.policy.interface import Interface, InterfaceKind

_KINDS = {
    InterfaceKind.WPAN: "an IEEE 802.15.4 radio",
    InterfaceKind.LOWPAN: "6LoWPAN on an IEEE 802.15.4 radio",
    InterfaceKind.OTHER: "not IEEE 802.15.4 to Linux",
}

LISTEN = "coap.listen"
PROXY = "proxy.interface"
NETWORK = "network"
"""A network may take its prefix and the registrar's address from an interface."""


def look_at_interfaces(case: Case) -> Iterator[Verdict]:
    """Each interface that is named, once for each use of it."""
    uses = [
        *uses_of_interfaces(case.settings),
        *((NETWORK, name) for name in sorted(case.followed)),
    ]
    for key, name in uses:
        yield judge(key, name, asyncio.run(look(name)))
    if not uses:
        yield success("neither the config file nor a network names one")


def look_at_proxy(case: Case) -> Iterator[Verdict]:
    """The Join Proxy's key and port."""
    if case.settings.proxy is None:
        yield success("no Join Proxy is configured")
        return
    check_proxy(case.settings, case.settings.proxy)
    yield from _look_at_its_network(case.settings, case.settings.proxy)
    if case.settings.proxy.psk_file is None:
        yield success("its port is not another program's; it has no key of its own, and needs none")
    else:
        yield success(
            f"its port is not another program's, {case.settings.proxy.psk_file} is a key, and what"
            " it must not forget is whole"
        )


def _look_at_its_network(settings: Settings, proxy: Proxy) -> Iterator[Verdict]:
    database = settings.database.file
    if proxy.network is None or database is None or is_proxy_alone(settings):
        return
    if other_owner(settings) is None:
        for sentence in check_named({"proxy.network": proxy.network}, database):
            yield warning(sentence, "start the daemon, or run any command of `jrc network`")


def uses_of_interfaces(settings: Settings) -> Iterator[tuple[str, str]]:
    """Keys of the config file and the interfaces that they name."""
    for place in () if is_proxy_alone(settings) else settings.coap.listen:
        if place.scope:
            yield LISTEN, place.scope
    if settings.proxy is not None:
        yield PROXY, settings.proxy.interface
    for installer in settings.installer:
        if installer.interface is not None:
            yield "installer.interface", installer.interface


def judge(key: str, name: str, found: Interface | None) -> Verdict:
    """Whether it can be used for what ``key`` has it for.

    Whoever uses it waits for it to come. A network keeps its prefix meanwhile, and other addresses
    are listened on; the rest does not work without it.
    """
    absent = warning if key in (LISTEN, NETWORK) else failure
    if found is None:
        return absent(
            f"{key}: there is no interface {name}",
            "see: ip link; it is taken up when it comes",
        )
    if not found.is_up:
        return absent(f"{key}: {name} is down, or has no carrier", f"run: ip link set {name} up")
    if key == PROXY and found.link_local is None:
        return failure(
            f"{key}: {name} has no link-local address, and pledges know no other",
            f"see: ip -6 address show dev {name}; disable_ipv6 and addr_gen_mode of it",
        )
    if key == NETWORK and not found.prefixes:
        return warning(
            f"{key}: {name} has no /64 prefix; networks keep the one that they had from it",
            f"see: ip -6 address show dev {name}",
        )
    return success(f"{key}: {describe(found)}")


def describe(found: Interface) -> str:
    """Kind and addresses of an interface, in a sentence."""
    prefixes = ", ".join(map(str, found.prefixes)) or "none"
    return (
        f"{found.name} is up ({_KINDS[found.kind]}); link-local address"
        f" {found.link_local or 'none'}, prefix {prefixes}"
    )
