"""The admin socket and the daemon behind it."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx

from jrc import __version__
from jrc.admin.server import SOCKET_MODE
from jrc.cli.checks import check_folder, other_owner
from jrc.cli.client import not_running
from jrc.cli.diagnosis.case import Case, Daemon
from jrc.cli.diagnosis.verdict import Verdict, failure, skipped, success, warning
from jrc.cli.proxy import is_proxy_alone
from jrc.cli.users import user_name
from jrc.config import Endpoint, Metrics

_RUNTIME = Path("/run")
"""A service manager makes a service's folder in here when it starts the service."""
_CAP_NET_ADMIN = 12
"""linux/capability.h."""
_WITHIN_S = 2.0


def look_at_admin_socket(case: Case) -> Iterator[Verdict]:
    """Who may reach the daemon."""
    path = case.settings.admin.socket
    if case.daemon.runs:
        yield from _judge_socket(case, path)
        return
    if not path.parent.is_dir() and path.is_relative_to(_RUNTIME):
        yield warning(
            f"the folder {path.parent} does not exist, as no daemon runs",
            "RuntimeDirectory= in the service's unit makes it; without a unit: make it after each"
            " start of the host",
        )
        return
    check_folder("admin.socket", case.settings)
    yield _judge_folder(case, path)


def _judge_socket(case: Case, path: Path) -> Iterator[Verdict]:
    if case.daemon.error is not None:
        yield failure(case.daemon.error.message, case.daemon.error.hint)
        return
    found = path.lstat()
    mode, owner = stat.S_IMODE(found.st_mode), user_name(found.st_uid)
    if mode != SOCKET_MODE:
        yield warning(
            f"{path} has mode {mode:04o}, not {SOCKET_MODE:04o}: others may reach the daemon, or"
            " its group may not",
            f"run: chmod {SOCKET_MODE:o} {path}",
        )
    else:
        me = user_name(os.geteuid())
        yield success(f"{path} is {owner}'s, with mode {mode:04o}, and {me} may connect")


def _judge_folder(case: Case, path: Path) -> Verdict:
    if path.exists() and not path.is_socket():
        return failure(
            f"{path} is no socket, so the daemon can't make its own there",
            "name another path under [admin]",
        )
    if other_owner(case.settings) is None and not os.access(path.parent, os.W_OK | os.X_OK):
        return failure(
            f"{user_name(os.geteuid())} may not make {path}",
            f"run: chown {user_name(os.geteuid())} {path.parent}",
        )
    return success(f"{path} can be made when the daemon starts")


def look_at_rights(case: Case) -> Iterator[Verdict]:
    """What the service may do that not everybody may; most of it needs nothing of the kind."""
    radios = [entry for entry in case.settings.installer if entry.kind == "linux"]
    if radios and all(entry.helper is not None for entry in radios):
        yield success("the helper of each radio has the privilege that its keys need")
        return
    if not radios:
        yield success("nothing that is configured needs a privilege")
        return
    who = case.daemon.number("pid") or os.getpid()
    if _has(who, _CAP_NET_ADMIN):
        yield success(f"process {who} may set link-layer keys (CAP_NET_ADMIN)")
    else:
        yield failure(
            f"[[installer]] of kind linux sets link-layer keys, and process {who} may not"
            " (CAP_NET_ADMIN)",
            "give it a helper (docs/border-router.md), or the process CAP_NET_ADMIN",
        )


def _has(pid: int, capability: int) -> bool:
    """Whether a process has a capability in force (proc(5))."""
    for text in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = text.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) >> capability & 1)
    return False


def look_at_daemon(case: Case) -> Iterator[Verdict]:
    """Whether it runs, answers joins, and is this version."""
    if is_proxy_alone(case.settings):
        yield _look_at_proxy_daemon(case.settings.metrics)
        return
    daemon = case.daemon
    if daemon.error is not None:
        yield skipped("not looked at, because of: admin_socket")
        return
    if daemon.status is None:
        absent = not_running(case.asked)
        yield warning(absent.message, absent.hint)
        return
    yield judge_daemon(daemon)
    yield from judge_proxy(daemon.part("proxy"))
    yield from judge_updates(daemon.part("updates"))
    if case.settings.metrics is not None and case.settings.metrics.listen.port:
        yield _ask_readiness(
            case.settings.metrics.listen,
            "restart the daemon if the config file was changed since its start",
        )


def _look_at_proxy_daemon(metrics: Metrics | None) -> Verdict:
    """`jrc proxy` has no admin socket: its metrics port is all there is to ask."""
    if metrics is None or not metrics.listen.port:
        return skipped(
            "`jrc proxy` can't be asked without a metrics port", "add [metrics] to the config file"
        )
    return _ask_readiness(metrics.listen, "start `jrc proxy`, or see its log")


def judge_daemon(daemon: Daemon) -> Verdict:
    """What its status says."""
    pid, version = daemon.number("pid"), daemon.text("version")
    if not (daemon.status or {}).get("ready"):
        why = daemon.text("why") or "it does not say why"
        return failure(f"the daemon (process {pid}) answers no joins: {why}", "see its log")
    if version != __version__:
        return warning(
            f"the daemon (process {pid}) is version {version}, and this program is {__version__}",
            "restart the daemon",
        )
    return success(f"the daemon (process {pid}, version {version}) answers joins")


def judge_proxy(told: Mapping[str, object]) -> Iterator[Verdict]:
    """What the Join Proxy inside the daemon waits for, if there is one."""
    if not told:
        return
    if told.get("why"):
        yield failure(
            f"its Join Proxy does not serve pledges: {told['why']}",
            "mend that; it goes on by itself",
        )
    else:
        yield success(f"its Join Proxy listens on {told.get('listening')}")


def judge_updates(told: Mapping[str, object]) -> Iterator[Verdict]:
    """A warning where joined nodes are told nothing, neither keys nor settings."""
    if told.get("why"):
        yield warning(
            f"it tells joined nodes nothing: {told['why']}",
            "mend that (a clock: see above; else see its log); it goes on by itself",
        )


def _ask_readiness(place: Endpoint, hint: str) -> Verdict:
    """``/readyz`` as a supervisor asks for it."""
    url = f"http://{place}/readyz"
    try:
        answer = httpx.get(url, timeout=_WITHIN_S, trust_env=False)
    except httpx.TransportError as error:
        return failure(f"{url} does not answer ({type(error).__name__})", hint)
    if answer.status_code != httpx.codes.OK:
        return failure(f"{url} answers {answer.status_code}", "see the daemon's log")
    return success(f"{url} answers {answer.status_code}")
