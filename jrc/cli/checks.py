"""What ``jrc check-config`` looks at besides the config file itself."""

import os
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from jrc.cli.diagnosis.holders import holders
from jrc.cli.proxy import is_proxy_alone
from jrc.cli.users import as_user, quoted, user_name
from jrc.coap.endpoint import COAP_PORT
from jrc.config import Endpoint, Proxy, Settings
from jrc.errors import ExitCode, OperatorError
from jrc.model import Condition, Secret
from jrc.service.applicants import SIMULATED_NODES, WEAK_KEYS
from jrc.service.condition import remedy

_UNREADABLE = "the database could not be looked at without changing a file"


def check(settings: Settings) -> Iterator[str]:
    """Sentences about what is not served or could not be looked at.

    Raises:
        OperatorError: ``jrc run``, or ``jrc proxy`` where there is nothing else, would refuse to
            start with these settings.
    """
    if settings.proxy is not None:
        check_proxy(settings, settings.proxy)
        yield from _note_interface(settings.proxy)
    if is_proxy_alone(settings):
        if settings.metrics is not None:
            check_address("metrics.listen", settings.metrics.listen, socket.SOCK_STREAM)
        return
    for place in settings.coap.listen:
        try:
            check_address("coap.listen", place, socket.SOCK_DGRAM)
        except OperatorError as error:
            yield f"{error.message}; jrc run listens on it when it comes"
    if settings.metrics is not None:
        check_address("metrics.listen", settings.metrics.listen, socket.SOCK_STREAM)
    if settings.page is not None:
        check_address("page.listen", settings.page.listen, socket.SOCK_STREAM)
    check_folder("admin.socket", settings)
    check_api(settings)
    check_programs(settings)
    yield from _note_radios(settings)
    yield from notes(settings)
    yield from _check_state(settings)


def notes(settings: Settings) -> Iterator[str]:
    """Sentences about what only a lab may have."""
    if settings.lab.allow_weak_keys:
        yield f"lab.allow_weak_keys is set: {WEAK_KEYS}"
    if settings.lab.nodes is not None:
        yield f"lab.nodes is set: {SIMULATED_NODES}"


def check_proxy(settings: Settings, proxy: Proxy) -> None:
    """That the Join Proxy's key and state are of use, and that nobody else has its port.

    The state is read without its lock: the daemon that runs has that.

    Raises:
        OperatorError: it is not, or a registrar on this host has the port.
    """
    from jrc.app.proxy_credential import Credential

    credential = Credential.of(proxy)
    if credential is not None:
        credential.check()
    if is_proxy_alone(settings):
        _refuse_taken_port()


def _note_interface(proxy: Proxy) -> Iterator[str]:
    try:
        socket.if_nametoindex(proxy.interface)
    except OSError:
        yield f"proxy.interface: {proxy.interface} is not there; the proxy serves it when it comes"


def _note_radios(settings: Settings) -> Iterator[str]:
    from jrc.net.linuxinstaller import NOT_TRIED

    for place, section in enumerate(settings.installer):
        if section.interface is None:
            continue
        key = f"installer[{place}].interface: {section.interface}"
        yield f"{key}: {NOT_TRIED}"
        try:
            socket.if_nametoindex(section.interface)
        except OSError:
            yield f"{key} is not there; it gets its keys when it comes"


def _refuse_taken_port() -> None:
    """Returns if no other process has the proxy's port at every address of this host."""
    any_link_local = Endpoint("fe80::", COAP_PORT)
    found = holders(any_link_local, socket.SOCK_DGRAM)
    if found:
        raise OperatorError(
            f"port {COAP_PORT} at every address of this host is held by {found[0]}, so `jrc proxy`"
            " can't have it at a link-local one",
            "if that is a registrar, give its coap.listen addresses of its own, or add [proxy] to"
            " its config: `jrc run` is the Join Proxy then",
            exit_code=ExitCode.REFUSED,
        )


def check_address(key: str, place: Endpoint, kind: socket.SocketKind) -> None:
    """That this host has the address. The port may be in use: by the daemon that runs.

    Raises:
        OperatorError: it has not.
    """
    family = socket.AF_INET6 if place.address.version == 6 else socket.AF_INET
    with socket.socket(family, kind) as probe:
        try:
            scope = socket.if_nametoindex(place.scope) if place.scope else 0
            probe.bind((place.host, 0, 0, scope) if family == socket.AF_INET6 else (place.host, 0))
        except OSError as error:
            raise OperatorError(
                f"{key}: {place} can't be listened on ({error.strerror or error})",
                "give the address to an interface of this host, or name another",
            ) from None


def check_api(settings: Settings) -> None:
    """That the groups of [admin] are there, and that [api] has an address and a certificate.

    Raises:
        OperatorError: one is not, or is of no use.
    """
    from jrc.admin.certificate import Certificate
    from jrc.admin.peers import group_number
    from jrc.app.admin_socket import rights_of

    if settings.admin.group is not None:
        group_number("admin.group", settings.admin.group)
    rights_of(settings.admin)
    if settings.api is not None:
        check_address("api.listen", settings.api.listen, socket.SOCK_STREAM)
        Certificate(settings.api.certificate, settings.api.private_key)


def check_folder(key: str, settings: Settings) -> None:
    """That the folder of the admin socket is there.

    Raises:
        OperatorError: it is not.
    """
    folder = settings.admin.socket.parent
    if not folder.is_dir():
        raise OperatorError(f"{key}: the folder {folder} does not exist", f"run: mkdir {folder}")


def check_programs(settings: Settings) -> None:
    """That the program of each installer that has one can be run.

    Raises:
        OperatorError: one is not there, or is no program.
    """
    for place, section in enumerate(settings.installer):
        if section.command is None:
            continue
        program = section.command[0]
        if shutil.which(program) is None:
            raise OperatorError(
                f"installer[{place}].command: {program} is no program that can be run",
                f"put it there and make it executable: chmod +x {quoted(program)}",
            )


def _check_state(settings: Settings) -> Iterator[str]:
    """The key and the database, without changing a file; only their owner may look."""
    from jrc.opened import slot_key
    from jrc.store.engine import check_private

    owner = other_owner(settings)
    if owner is not None:
        yield f"{not_looked_at(owner)}; run: {as_user(owner)}"
        return
    key = None
    if settings.keys.credential is None:
        key = slot_key(settings)
    else:
        yield "the key comes from the service manager and was not looked at"
    if settings.database.file is None:
        yield from _check_server(settings, key)
    else:
        check_private(settings.database.file)
        yield from _check_seals(settings.database.file, key)
        yield from check_named(settings.named_networks, settings.database.file)


def _check_server(settings: Settings, key: Secret | None) -> Iterator[str]:
    """As what follows, for a database on a server, which is only read.

    Raises:
        OperatorError: it can't be reached, `jrc run` would refuse it, or a network is missing.
    """
    from jrc.service.installers import check_known
    from jrc.store.examine import examine
    from jrc.store.registry import StoreRegistry

    if key is None:
        yield "the database was not looked at, since its key was not"
        return
    now_ms = time.time_ns() // 1_000_000
    instance, known = examine(
        settings.database.url, key, lambda tx: StoreRegistry(tx).networks.all().values(), now_ms
    )
    if instance.condition != Condition.OPEN:
        yield f"the database is {instance.condition}: {instance.condition_detail}"
    check_known([network.name for network in known], settings.named_networks)


def _check_seals(database: Path, key: Secret | None) -> Iterator[str]:
    """That this program works with the schema, and that the key opens one of its slots.

    Raises:
        OperatorError: it does not, or it is not.
    """
    from jrc.store.keyslots import check_opens
    from jrc.store.migrate import check_revision
    from jrc.store.on_disk import UnreadableError, seals_on_disk

    try:
        seals = seals_on_disk(database)
    except UnreadableError:
        yield f"database.url: {_UNREADABLE}"
        return
    check_revision(seals.revision)
    if key is not None:
        check_opens(key, seals.slots, "keys.kek_file")
    yield from _check_condition(database)


def _check_condition(database: Path) -> Iterator[str]:
    """That the database was not moved; whether it is quarantined.

    Raises:
        OperatorError: it was moved.
    """
    from jrc.store.on_disk import condition_on_disk

    condition, detail = condition_on_disk(database)
    if condition is Condition.MOVED:
        raise OperatorError(
            f"the database was moved to another host: {detail}",
            remedy(condition),
            exit_code=ExitCode.REFUSED,
        )
    if condition is Condition.QUARANTINED:
        yield f"the database is quarantined, and nobody is answered: {detail}; {remedy(condition)}"


def check_named(named: Mapping[str, str], database: Path) -> Iterator[str]:
    """That networks are there which the config file names, by key.

    Raises:
        OperatorError: one is not.
    """
    from jrc.service.installers import check_known
    from jrc.store.on_disk import UnreadableError, names_on_disk

    if not named:
        return
    try:
        known = names_on_disk(database)
    except UnreadableError:
        yield f"{next(iter(named))}: {_UNREADABLE}"
    else:
        check_known(known, named)


def other_owner(settings: Settings) -> int | None:
    """Whose the key and the database are, None where they are this user's or not there."""
    folder = settings.state_dir
    owner = folder.stat().st_uid if folder.is_dir() else os.geteuid()
    return None if owner == os.geteuid() else owner


def not_looked_at(owner: int) -> str:
    """What to say of files that only another user may look at."""
    return (
        f"the key encryption key and the database belong to {user_name(owner)} and were not"
        " looked at"
    )
