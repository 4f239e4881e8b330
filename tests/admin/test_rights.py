"""Who may do what on the admin socket: by groups, as the kernel tells them."""

import asyncio
import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Send
from starlette.types import Scope as Connection

from jrc.admin import server
from jrc.admin.contract import App
from jrc.admin.peers import Peer, Rights, caller_of, peer_of, this_process, with_rights
from jrc.admin.server import MAX_STRANGERS, AdminServer
from jrc.admin.sudo import SUDO_HEADER, sudo_headers
from jrc.app.admin_socket import rights_of
from jrc.config import Admin, parse
from jrc.errors import OperatorError
from jrc.policy.scopes import EVERYTHING, Scope, held_with

READERS, BUILDERS, NOBODY = 7001, 7002, 65534
GROUPS: Mapping[int, frozenset[Scope]] = {
    READERS: held_with(Scope.READ),
    BUILDERS: held_with(Scope.IMPORT),
}
PYTHON = shutil.which("python3", path="/usr/bin") or ""
"""One that every user may run; that of the tests may lie in a home folder."""
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
AS_NOBODY = pytest.mark.skipif(
    os.geteuid() != 0 or not PYTHON, reason="needs root, and a Python that everybody may run"
)
_ASK = """\
import socket, sys
with socket.socket(socket.AF_UNIX) as s:
    s.connect(sys.argv[1])
    s.sendall(b"GET /v1/who HTTP/1.1\\r\\nhost: jrc\\r\\nconnection: close\\r\\n\\r\\n")
    while piece := s.recv(4096):
        sys.stdout.buffer.write(piece)
"""


async def _who(request: Request) -> Response:
    caller = caller_of(request.scope)
    return JSONResponse({"actor": caller.actor, "scopes": sorted(caller.scopes)})


APP = Starlette(routes=[Route("/v1/who", _who), Route("/page", _who)])


def as_peer(app: App, peer: Peer) -> App:
    async def called(scope: Connection, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["peer"] = peer
        await app(scope, receive, send)

    return called


def ask(path: str, peer: Peer, rights: Rights) -> httpx.Response:
    async def work() -> httpx.Response:
        transport = httpx.ASGITransport(as_peer(with_rights(APP, rights), peer))
        async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
            return await client.get(path)

    return asyncio.run(work())


def peer(*groups: int, uid: int = NOBODY) -> Peer:
    return Peer(1, uid, NOBODY, frozenset(groups))


@pytest.mark.parametrize(
    ("who", "scopes"),
    [
        (peer(READERS), {Scope.READ}),
        (peer(BUILDERS, 5), {Scope.IMPORT}),
        (peer(BUILDERS, READERS), {Scope.READ, Scope.IMPORT}),
        (peer(uid=0), set(Scope)),
        (peer(uid=os.geteuid()), set(Scope)),
    ],
)
def test_members_of_groups_hold_what_these_do(who: Peer, scopes: set[Scope]) -> None:
    """Of several groups all of it; root and the daemon's own user hold everything."""
    answer = ask("/v1/who", who, Rights(GROUPS))
    assert answer.json()["scopes"] == sorted(scopes)


def test_who_is_in_no_group_is_told_so_and_nothing_else() -> None:
    """At any path, one that is not there among them."""
    for path in ("/v1/who", "/page", "/nothing"):
        answer = ask(path, peer(5), Rights(GROUPS))
        assert (answer.status_code, answer.json()["exit_code"]) == (403, 6)
        assert "in none of the groups" in answer.json()["error"]


def test_what_is_beside_the_api_is_for_readers() -> None:
    """A builder's token or group shows no page."""
    assert ask("/page", peer(READERS), Rights(GROUPS)).status_code == 200
    assert ask("/page", peer(BUILDERS), Rights(GROUPS)).status_code == 403


def test_without_groups_whoever_connects_holds_everything() -> None:
    """The socket's mode decides, as it did."""
    assert rights_of(Admin()).of(peer(5)) == EVERYTHING


def test_groups_of_the_config_file_are_those_of_the_host() -> None:
    """By name; one that is not there is one sentence with its key."""
    section = parse('[admin]\nadmin_groups = ["root"]\nread_groups = ["root"]').admin
    assert rights_of(section).of(peer(0)) == EVERYTHING
    with pytest.raises(OperatorError, match=r"admin\.import_groups: there is no group no-such"):
        rights_of(parse('[admin]\nimport_groups = ["no-such"]').admin)


def test_the_groups_of_a_process_are_the_kernels(tmp_path: Path) -> None:
    """All of them, its main one among them."""
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(str(tmp_path / "s"))
        listener.listen()
        client.connect(str(tmp_path / "s"))
        accepted, _ = listener.accept()
        with accepted:
            found = peer_of(accepted)
    assert found.groups == {os.getegid(), *os.getgroups()}


def _serve_and_ask(folder: Path, groups: list[int], rights: Rights) -> str:
    """What a process of nobody's, with these groups, is answered on the socket."""
    path = folder / "s"

    async def run() -> str:
        admin = AdminServer(APP, path, rights=rights)
        await admin.start()
        try:
            asking = await asyncio.create_subprocess_exec(
                *(PYTHON, "-IS", "-c", _ASK, str(path)),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                user=NOBODY,
                group=NOBODY,
                extra_groups=groups,
            )
            out, _ = await asking.communicate()
            return out.decode()
        finally:
            await admin.stop()

    return asyncio.run(run())


@AS_ROOT
@pytest.mark.parametrize(
    ("groups", "said"), [([READERS], '"read"'), ([5], "in none of the groups")]
)
def test_a_user_of_a_group_is_let_in_and_another_is_not(groups: list[int], said: str) -> None:
    """With processes of another user, at the socket itself."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        assert said in _serve_and_ask(Path(name), groups, Rights(GROUPS))


@AS_NOBODY
def test_without_groups_another_user_does_not_even_connect() -> None:
    """Mode 0660."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        assert "PermissionError" in _serve_and_ask(Path(name), [READERS], Rights())


def test_users_who_may_do_nothing_keep_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So many of their connections are heard, to be told so; the others are hung up on."""
    strangers = [True] * (MAX_STRANGERS + 1) + [False]

    def held(_self: Rights, _peer: Peer) -> frozenset[Scope]:
        return frozenset() if strangers.pop(0) else EVERYTHING

    monkeypatch.setattr(Rights, "of", held)
    monkeypatch.setattr(server, "REQUEST_WITHIN_S", 60)

    async def run() -> None:
        admin = AdminServer(APP, tmp_path / "s", rights=Rights(GROUPS))
        await admin.start()
        ends = [
            await asyncio.open_unix_connection(str(tmp_path / "s")) for _ in range(MAX_STRANGERS)
        ]
        reader, last = await asyncio.open_unix_connection(str(tmp_path / "s"))
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        reader, friend = await asyncio.open_unix_connection(str(tmp_path / "s"))
        strangers.append(False)  # it is looked at once more, with its request
        friend.write(b"GET /v1/who HTTP/1.1\r\nhost: jrc\r\n\r\n")
        assert (await reader.readline()).endswith(b" 200 OK\r\n")
        for writer in (last, friend, *(writer for _, writer in ends)):
            writer.close()
        await admin.stop()

    asyncio.run(run())


@AS_ROOT
def test_the_socket_belongs_to_the_group_that_is_named(tmp_path: Path) -> None:
    """From the moment that anybody can connect."""
    admin = AdminServer(APP, tmp_path / "s", group=READERS)
    found = (tmp_path / "s").stat()
    asyncio.run(admin.stop())
    assert (found.st_gid, stat.S_IMODE(found.st_mode)) == (READERS, 0o660)


# Root, and who has become root


@pytest.mark.parametrize(
    ("uid", "said", "by"),
    [
        (0, "anna", ", sudo by anna"),
        (0, "CORP.anna@example.org", ", sudo by CORP.anna@example.org"),
        (0, "anna) and uid=1(bob", ""),
        (0, "-anna", ""),
        (0, "", ""),
        (0, "a" * 65, ""),
        (NOBODY, "anna", ""),
    ],
)
def test_who_has_become_root_is_named_beside_it_if_root_says_so(
    uid: int, said: str, by: str
) -> None:
    """Root may say what it likes; of anybody else it is not taken, nor what is no name."""

    async def work() -> httpx.Response:
        app = as_peer(with_rights(APP, Rights()), peer(uid=uid))
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://jrc", headers={SUDO_HEADER: said}
        ) as client:
            return await client.get("/v1/who")

    assert peer(uid=uid).actor.replace(")", f"{by})") == asyncio.run(work()).json()["actor"]


@pytest.mark.parametrize(("euid", "headers"), [(0, {SUDO_HEADER: "anna"}), (1000, {})])
def test_a_command_says_who_ran_it_by_sudo(
    monkeypatch: pytest.MonkeyPatch, euid: int, headers: Mapping[str, str]
) -> None:
    """To the daemon, and in an audit log that it writes itself; only where it is root."""
    monkeypatch.setenv("SUDO_USER", "anna")
    monkeypatch.setattr(os, "geteuid", lambda: euid)
    assert headers == sudo_headers()
    assert bool(headers) == ("sudo by anna" in this_process().actor)
    monkeypatch.delenv("SUDO_USER")
    assert {} == sudo_headers()


@pytest.mark.parametrize(("uid", "has_all"), [(0, True), (4242, True), (4243, False)])
def test_root_and_the_daemons_own_user_hold_everything(
    monkeypatch: pytest.MonkeyPatch, uid: int, has_all: bool
) -> None:
    """Whatever the groups are: they can read its key."""
    monkeypatch.setattr(os, "geteuid", lambda: 4242)
    assert has_all is (Rights(GROUPS).of(peer(uid=uid)) == EVERYTHING)
    assert held_with(Scope.READ) == Rights(GROUPS).of(peer(READERS, uid=4243))
