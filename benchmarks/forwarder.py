"""`jrc proxy` as it is run in earnest, at one end of a link whose other end is the pledges'.

For a network namespace of its own (``proxy.py``): it makes a veth pair that stands in for a radio.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.client import HOST, MeasurementError
from benchmarks.process import cpu_ns, resident_bytes

RADIO, PLEDGES = "lowpan0", "radio0"
COAP_PORT = 5683
READY_TIMEOUT_S = 20.0
_FAST_BYTES_PER_S = 2**32
_LOOK_AGAIN_S = 0.05
_CONFIG = """\
[proxy]
interface = "{radio}"
jrc = "[{host}]:{jrc_port}"
join_rate_bytes_per_s = {rate}
[metrics]
listen = "127.0.0.1:{metrics_port}"
[log]
format = "json"
"""


def make_link() -> str:
    """A radio that both its ends can use; the link-local address of the Join Proxy's.

    Raises:
        MeasurementError: it never gets one.
    """
    _ip("link", "set", "lo", "up")
    _ip("link", "add", RADIO, "type", "veth", "peer", "name", PLEDGES)
    for name in (RADIO, PLEDGES):
        _ip("link", "set", name, "up")
    deadline_s = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline_s:
        found = [_link_local(name) for name in (RADIO, PLEDGES)]
        if all(found):
            return found[0]
        time.sleep(_LOOK_AGAIN_S)
    raise MeasurementError("the link has no link-local addresses")


def _ip(*words: str) -> str:
    done = subprocess.run(("ip", "-6", *words), check=True, capture_output=True, text=True)
    return done.stdout


def _link_local(name: str) -> str:
    """Empty until duplicate detection is over (RFC 4862 §5.4)."""
    (interface,) = json.loads(_ip("-json", "address", "show", "dev", name, "scope", "link")) or [{}]
    usable = [each for each in interface.get("addr_info", ()) if not each.get("tentative")]
    return str(usable[0]["local"]) if usable else ""


class Forwarder:
    """The process, and the registrar that it is connected to."""

    def __init__(self, folder: Path, address: str) -> None:
        self.jrc = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.jrc.setblocking(False)
        self.jrc.bind((HOST, 0))
        self._address = address
        self._metrics_port = _free_tcp_port()
        config = folder / "proxy.toml"
        config.write_text(
            _CONFIG.format(
                radio=RADIO,
                host=HOST,
                jrc_port=self.jrc.getsockname()[1],
                rate=_FAST_BYTES_PER_S,
                metrics_port=self._metrics_port,
            )
        )
        self._log = (folder / "log").open("wb")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jrc.cli.main", "--config", str(config), "proxy"],
            stdin=subprocess.DEVNULL,
            stderr=self._log,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        self._api = httpx.Client(trust_env=False)

    @classmethod
    @contextmanager
    def running(cls, address: str) -> Iterator["Forwarder"]:
        """A proxy that is ready, and has ended afterwards."""
        with tempfile.TemporaryDirectory() as folder:
            forwarder = cls(Path(folder), address)
            try:
                forwarder._wait_until_ready(Path(folder) / "log")
                yield forwarder
            finally:
                forwarder._process.terminate()
                forwarder._process.wait()
                forwarder._log.close()
                forwarder._api.close()
                forwarder.jrc.close()

    def _wait_until_ready(self, log: Path) -> None:
        deadline_s = time.monotonic() + READY_TIMEOUT_S
        while '"event": "ready"' not in log.read_text():
            if self._process.poll() is not None or time.monotonic() > deadline_s:
                raise MeasurementError(f"`jrc proxy` is not ready: {log.read_text()}")
            time.sleep(_LOOK_AGAIN_S)

    def connect(self) -> socket.socket:
        """A pledge's socket, connected to the proxy from the other end of the link."""
        sock = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, PLEDGES.encode())
        sock.connect((self._address, COAP_PORT, 0, socket.if_nametoindex(PLEDGES)))
        return sock

    def counts(self) -> Mapping[str, float]:
        """Its own counters: ``forwarded``, ``returned``, and ``dropped`` for all reasons."""
        found = {"forwarded": 0.0, "returned": 0.0, "dropped": 0.0}
        text = self._api.get(f"http://127.0.0.1:{self._metrics_port}/metrics").text
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            kind = name.partition("{")[0].removeprefix("jrc_proxy_").removesuffix("_total")
            if kind in found:
                found[kind] += float(value)
        return found

    def cpu_ns(self) -> int:
        """CPU time so far."""
        return cpu_ns(self._process.pid)

    def resident_bytes(self) -> int:
        """Memory at the moment."""
        return resident_bytes(self._process.pid)


def _free_tcp_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
