"""What is served on the metrics port, and what is not."""

import asyncio
from pathlib import Path

import httpx
import pytest

from jrc.admin.called_as import called_rightly
from jrc.admin.health import build_metrics
from jrc.admin.peers import as_this_process
from jrc.admin.sealed import SealedServices, build_sealed_api
from jrc.admin.server import metrics_server
from tests.admin.registrar import Registrar


def _get(registrar: Registrar, path: str, method: str = "GET") -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(build_metrics(registrar.services))
        async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
            return await client.request(method, path)

    return asyncio.run(run())


def test_readiness_is_a_status_code_with_the_reason(tmp_path: Path) -> None:
    """200 while joins are answered, 503 with the reason else; being alive is another question."""
    with Registrar(tmp_path) as registrar:
        assert _get(registrar, "/readyz").status_code == 200
        registrar.services.answers = {"ready": False}
        answer = _get(registrar, "/readyz")
        assert (answer.status_code, answer.json()) == (503, {"ok": False, "why": ["quarantined"]})
        assert _get(registrar, "/healthz").status_code == 200


def test_metrics_are_text_for_prometheus(tmp_path: Path) -> None:
    """The content type names the format's version."""
    with Registrar(tmp_path) as registrar:
        answer = _get(registrar, "/metrics")
    assert answer.text == "jrc_ready 1\njrc_sealed 0\n"
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.mark.parametrize("path", ["/v1/status", "/v1/pledges", "/v1/networks", "/docs", "/"])
def test_the_metrics_port_serves_no_command(tmp_path: Path, path: str) -> None:
    """Whoever reaches a TCP port must not reach the API."""
    with Registrar(tmp_path) as registrar:
        assert _get(registrar, path).status_code == 404
        assert _get(registrar, "/metrics", "POST").status_code == 405


def test_metrics_are_served_over_tcp(tmp_path: Path) -> None:
    """On the address that was configured, IPv6 included."""

    async def run(registrar: Registrar) -> None:
        server = metrics_server(build_metrics(registrar.services), "::1", 0)
        await server.start()
        try:
            async with httpx.AsyncClient() as client:
                answer = await client.get(f"http://[::1]:{server.port}/healthz")
            assert answer.json() == {"ok": True, "why": []}
        finally:
            await server.stop()

    with Registrar(tmp_path) as registrar:
        asyncio.run(run(registrar))


def test_the_admin_socket_answers_the_same_question(tmp_path: Path) -> None:
    """For `jrc healthcheck`, where there is no metrics port; it is an answer, not an error."""
    with Registrar(tmp_path) as registrar:
        answer = registrar.call("GET", "/v1/health")
        assert {"alive": True, "ready": True, "why": []} == answer.json()
        registrar.services.answers = {"ready": False}
        answer = registrar.call("GET", "/v1/health")
    assert answer.status_code == 200
    assert {"alive": True, "ready": False, "why": ["quarantined"]} == answer.json()


def test_a_sealed_registrar_answers_it_too() -> None:
    """Alive, not ready, and why."""
    services = SealedServices("there is no key", "put it there", {})
    app = as_this_process(build_sealed_api(services))

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://jrc") as client:
            return await client.get("/v1/health")

    expected = {"alive": True, "ready": False, "why": ["sealed: there is no key"]}
    assert expected == asyncio.run(ask()).json()


@pytest.mark.parametrize(
    ("listening", "hosts", "host", "status"),
    [
        ("127.0.0.1", (), "127.0.0.1:9631", 200),
        ("127.0.0.1", (), "localhost", 200),
        ("127.0.0.1", (), "[::1]:4711", 200),
        ("::1", (), "jrc:9631", 200),
        ("127.0.0.1", (), "192.0.2.1:9631", 200),
        ("127.0.0.1", (), "rebound.example.org:9631", 421),
        ("::1", (), "127.0.0.1.example.org", 421),
        ("127.0.0.1", (), "br1.example.org:9631", 421),
        ("127.0.0.1", ("BR1.example.org",), "br1.EXAMPLE.org:9631", 200),
        ("127.0.0.1", ("br1.example.org",), "br2.example.org:9631", 421),
        ("192.0.2.1", (), "br1.example.org:9631", 200),
        ("192.0.2.1", ("br1.example.org",), "rebound.example.org", 421),
    ],
)
def test_a_page_whose_name_points_to_this_host_reads_no_metrics(
    tmp_path: Path, listening: str, hosts: tuple[str, ...], host: str, status: int
) -> None:
    """DNS rebinding: on loopback no name of strangers is answered to, nor where names are told."""

    async def run(registrar: Registrar) -> int:
        app = called_rightly(build_metrics(registrar.services), listening, hosts)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            answer = await client.get("http://jrc/metrics", headers={"Host": host})
        return answer.status_code

    with Registrar(tmp_path) as registrar:
        assert asyncio.run(run(registrar)) == status


def test_the_metrics_port_looks_at_what_it_is_called(tmp_path: Path) -> None:
    """The server itself, as the daemon makes it."""

    async def run(registrar: Registrar) -> list[int]:
        hosts = ("known.example.org",)
        server = metrics_server(build_metrics(registrar.services), "::1", 0, hosts=hosts)
        await server.start()
        try:
            async with httpx.AsyncClient(base_url=f"http://[::1]:{server.port}") as client:
                asked = [
                    client.get("/metrics", headers={"Host": f"{name}.example.org"})
                    for name in ("known", "other")
                ]
                return [(await each).status_code for each in asked]
        finally:
            await server.stop()

    with Registrar(tmp_path) as registrar:
        assert asyncio.run(run(registrar)) == [200, 421]
