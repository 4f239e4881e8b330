"""What is served on the metrics port, and what is not."""

import asyncio
from pathlib import Path

import httpx
import pytest

from jrc.admin.health import build_metrics
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
    assert answer.text == "jrc_ready 1\n"
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
