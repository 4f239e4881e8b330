"""Addresses and ports: on this host, and the daemon's or free."""

import socket
from collections.abc import Iterator

from jrc.cli.checks import check_address
from jrc.cli.diagnosis.case import Case, Daemon
from jrc.cli.diagnosis.holders import Holder, holders
from jrc.cli.diagnosis.verdict import Verdict, failure, skipped, success, warning
from jrc.cli.proxy import is_proxy_alone
from jrc.coap.endpoint import bind
from jrc.config import Endpoint, Settings
from jrc.errors import OperatorError

_INIT = 1
"""The process that a service manager is; it holds sockets for services that don't run yet."""


def look_at_addresses(case: Case) -> Iterator[Verdict]:
    """All that the config file has us listen on; one that is not here has no port to look at."""
    for key, place, kind in _places(case.settings):
        if place.scope and not _has_interface(place.scope):
            case.absent.add(place)
            yield skipped(f"{key}: {place} was not looked at, because of: interface")
            continue
        try:
            check_address(key, place, kind)
        except OperatorError as error:
            case.absent.add(place)
            yield _absent(key, error)
        else:
            yield success(f"{key}: this host has {place.host}")


def _absent(key: str, error: OperatorError) -> Verdict:
    """The daemon waits for an address of coap.listen, as its interface may come late."""
    if key != "coap.listen":
        return failure(error.message, error.hint)
    return warning(f"{error.message}; the daemon listens on it when it comes", error.hint)


def _has_interface(name: str) -> bool:
    try:
        return socket.if_nametoindex(name) > 0
    except OSError:
        return False


def look_at_ports(case: Case) -> Iterator[Verdict]:
    """Each is held by the daemon, or free where none runs."""
    for key, place, kind in _places(case.settings):
        if place in case.absent:
            yield skipped(f"{key}: {place} was not looked at, because of: addresses")
        elif not place.port:
            yield success(f"{key}: any free port of {place.host} will do")
        elif case.daemon.runs:
            yield _held(case, key, place, kind)
        else:
            yield _free(key, place, kind)


def _places(settings: Settings) -> Iterator[tuple[str, Endpoint, socket.SocketKind]]:
    for place in () if is_proxy_alone(settings) else settings.coap.listen:
        yield "coap.listen", place, socket.SOCK_DGRAM
    if settings.metrics is not None:
        yield "metrics.listen", settings.metrics.listen, socket.SOCK_STREAM
    if settings.page is not None and not is_proxy_alone(settings):
        yield "page.listen", settings.page.listen, socket.SOCK_STREAM


def _held(case: Case, key: str, place: Endpoint, kind: socket.SocketKind) -> Verdict:
    """That the running daemon has the port."""
    found = holders(place, kind)
    pid = case.daemon.number("pid")
    if pid is not None and pid in {holder.pid for holder in found}:
        return success(f"{key}: {place} is held by the daemon (process {pid})")
    if case.daemon.status is None and found:
        return warning(
            f"{key}: {place} is held by {_named(found)}; whether that is the daemon, it does not"
            " tell this user",
            "run `jrc doctor` as the service's user",
        )
    if not found:
        return warning(
            f"{key}: the daemon runs, and nobody on this host holds {place}",
            "restart it if the config file was changed since its start; it may also run in a"
            " container or network namespace of its own",
        )
    if all(holder.pid is None for holder in found) and _says_so(case.daemon, place):
        return success(f"{key}: the daemon says that it holds {place}")
    return _taken(f"{key}: {place} is not held by the daemon", found)


def _says_so(daemon: Daemon, place: Endpoint) -> bool:
    """Whether the daemon names the place; which sockets are its, the kernel tells root alone."""
    if f"http://{place}" == daemon.part("page").get("address"):
        return True
    return str(place) in daemon.listening or str(place) == daemon.text("metrics")


def _free(key: str, place: Endpoint, kind: socket.SocketKind) -> Verdict:
    """That the daemon can have the port when it starts; tried out."""
    try:
        if kind is socket.SOCK_DGRAM:
            bind(place.host, place.port, place.scope).close()
        else:
            _listen(key, place)
    except OperatorError as error:
        found = holders(place, kind)
        if found and all(holder.pid == _INIT for holder in found):
            return success(f"{key}: {place} is held by the service manager for the daemon")
        if not found:
            return failure(error.message, error.hint)
        return _taken(error.message, found)
    return success(f"{key}: {place} is free")


def _listen(key: str, place: Endpoint) -> None:
    family = socket.AF_INET6 if place.address.version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((place.host, place.port))
            probe.listen()
        except OSError as error:
            raise OperatorError(
                f"{key}: {place} can't be used ({error.strerror})",
                "name another address or port, or stop what holds this one",
            ) from None


def _taken(what: str, found: list[Holder]) -> Verdict:
    return failure(
        f"{what}: it is held by {_named(found)}",
        "stop that program, or name another port in the config file",
    )


def _named(found: list[Holder]) -> str:
    return ", ".join(dict.fromkeys(map(str, found)))
