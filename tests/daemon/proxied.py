"""Run inside a network namespace of its own: pledges join through the link-local side of a 6LBR.

``python -m tests.daemon.proxied FOLDER`` prints what came of it as JSON. A veth pair stands in for
the radio: ``lowpan0`` is the 6LBR's, ``radio0`` the pledges'.
"""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from jrc.cojp import codec, message, oscore
from jrc.cojp.constants import JRC_ID, CoapCode, MessageType, OptionNumber
from jrc.cojp.message import Inner, Message
from jrc.cojp.objects import Configuration
from jrc.cojp.oscore_context import derive_for_jrc
from jrc.lab.pledge import Joined
from tests import forked
from tests.daemon.site import Daemon, Device, Site
from tests.daemon.wire import Wire
from tests.forked import JRC

RADIO, PLEDGES = "lowpan0", "radio0"
FURTHER = "fe80::1"
"""One more address of the 6LBR's, lower than that of its hardware."""
COAP_PORT = 5683
RELAY = "fd00:6:715c::1"
NODE = "00124b00000000ff"
NODE_ADDRESS = "fd00:1::212:4b00:0:ff"
"""Where the registrar sends the node's updates (RFC 9031 §8.2.1)."""
RATE = 10_000
METRICS_PORT = 9632
PATIENCE_S = 60.0
PATH = ((int(OptionNumber.URI_PATH), b"j"),)
OSCORE = int(OptionNumber.OSCORE)


def ip(*command: str) -> str:
    done = subprocess.run(("ip", "-6", *command), check=True, capture_output=True, text=True)
    return done.stdout


def until(look: Callable[[], Any]) -> Any:
    """What ``look`` gives once it is something; fails if it never is."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("it never was")


def link_local(interface: str) -> str:
    """The interface's link-local address, once it can be used."""

    def look() -> str:
        for line in ip("-oneline", "address", "show", "dev", interface).splitlines():
            if "scope link" in line and "tentative" not in line:
                return line.split()[3].partition("/")[0]
        return ""

    return str(until(look))


def add_radio() -> None:
    ip("link", "add", RADIO, "type", "veth", "peer", "name", PLEDGES)
    for name in (RADIO, PLEDGES):
        ip("link", "set", name, "up")


def prepare() -> None:
    ip("link", "set", "lo", "up")
    ip("address", "add", f"{RELAY}/128", "dev", "lo", "nodad")
    add_radio()


@contextmanager
def neighbour(at: str | None = None) -> Iterator[Wire]:
    """A pledge's socket: it has a link-local address alone, and so has the proxy."""
    link_local(PLEDGES)
    with Wire((at or link_local(RADIO), COAP_PORT), "::") as wire:
        wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, PLEDGES.encode())
        yield wire


def joins(device: Device, first: int = 0) -> dict[str, object]:
    """Whether a neighbour joins, and with which traffic class it is answered."""
    with neighbour() as wire:
        pledge = device.pledge(first=first)
        wire.send(pledge.request(token=b"\x77"))
        heard = wire.hear()
        joined = isinstance(pledge.receive(heard.payload), Joined)
        return {"joined": joined, "traffic_class": heard.traffic_class}


def joins_at_a_further_address(
    device: Device, forwarded: Callable[[], float], listening: Callable[[], bool]
) -> dict[str, object]:
    """Whether the proxy serves it there, and the answer comes from there."""
    before = forwarded()
    ip("address", "add", f"{FURTHER}/64", "dev", RADIO, "nodad")
    until(listening)
    with neighbour(FURTHER) as wire:
        pledge = device.pledge()
        wire.send(pledge.request())
        heard = wire.hear()
    joined = isinstance(pledge.receive(heard.payload), Joined)
    found = {"joined": joined, "sender": heard.sender[0], "forwarded": forwarded() - before}
    ip("address", "del", f"{FURTHER}/64", "dev", RADIO)
    return found


def listened_at(log: list[str]) -> list[str]:
    """The proxy's usual address each time it began to listen."""
    return [json.loads(line)["address"] for line in list(log) if '"proxy_listens"' in line]


def tried(site: Site, device: Device) -> list[object]:
    """Where the last attempt of a device came from, and through the proxy of which interface."""
    told: Any = json.loads(site.run("pledge", "explain", device.identifier.hex(), "--json").stdout)
    return [told["attempts"][0][name] for name in ("outcome", "peer", "own_proxy")]


def listens(address: str) -> bool:
    """Whether a socket is bound to this address of the 6LBR."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, COAP_PORT, 0, socket.if_nametoindex(RADIO)))
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False


def proxy_status(daemon: Daemon) -> Mapping[str, Any]:
    status: Any = daemon.api("GET", "/v1/status")["proxy"]
    return dict(status)


def dropped(daemon: Daemon, device: Device, reason: str) -> bool:
    """Whether a neighbour's request is dropped for this reason."""
    before = proxy_status(daemon)["dropped"].get(reason, 0)
    with neighbour() as wire:
        wire.send(device.pledge(first=100).request())
        until(lambda: proxy_status(daemon)["dropped"].get(reason, 0) > before)
        return wire.is_quiet()


def logged(log: list[str], event: str, times: int = 1) -> None:
    until(lambda: sum(f'"{event}"' in line for line in log) >= times)


def shared_socket(folder: Path) -> dict[str, object]:
    """`jrc run` on the wildcard, with [proxy]: one socket, told apart by destination."""
    site = Site.make(folder, listen=f"[::]:{COAP_PORT}")
    site.add_lab("--join-rate", str(RATE))
    add_proxy(site.config, f"[::1]:{COAP_PORT}")
    with site.start() as daemon:
        first, second, third = (daemon.enroll() for _ in range(3))
        found: dict[str, object] = {
            "checked": site.attempt("check-config").returncode,
            "beside": site.attempt("proxy").returncode,
            "neighbour": joins(first),
            "status": proxy_status(daemon),
            "metrics": metrics_of(daemon.get("/metrics").text),
            "shown": "join proxy" in site.run("status").stdout,
        }
        with Wire(("::1", COAP_PORT)) as wire:
            wire.send(second.pledge().request())
            found["direct_traffic_class"] = wire.hear().traffic_class
        found["tried"] = [tried(site, each) for each in (first, second)]
        found["pledge"] = link_local(PLEDGES)
        found["further"] = joins_at_a_further_address(
            daemon.enroll(),
            lambda: proxy_status(daemon)["forwarded"],
            lambda: len(listened_at(daemon.log)) > 1,
        )
        found["listened_at"] = len(set(listened_at(daemon.log)))
        found["alone"] = proxy_alone(folder.with_name("alone"))
        ip("link", "delete", RADIO)
        logged(daemon.log, "proxy_waits")  # it may have waited before, for an address
        until(lambda: proxy_status(daemon)["listening"] is None)
        found["away"] = proxy_status(daemon)["listening"]
        add_radio()
        until(lambda: proxy_status(daemon)["listening"])
        found["back"] = joins(third)["joined"]
        site.run("pledge", "revoke", first.identifier.hex(), "--reason", "lost", "--yes")
        until(lambda: proxy_status(daemon)["blocked"] == 1)
        found["blocked"] = dropped(daemon, first, "blocklisted")
        site.run("network", "set", "lab", "--join-rate", "0", "--reason", "closed", "--yes")
        until(lambda: proxy_status(daemon)["join_rate_bytes_per_s"] == 0)
        found["closed"] = dropped(daemon, second, "join_rate")
    return found


def add_proxy(config: Path, jrc: str, more: str = "") -> None:
    text = config.read_text() if config.exists() else '[log]\nformat = "json"\n'
    section = f'[proxy]\ninterface = "{RADIO}"\njrc = "{jrc}"\n{more}'
    config.write_text(text + section)


def metrics_of(text: str) -> dict[str, float]:
    """The proxy's own."""
    lines = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("jrc_proxy"))
    return {name: float(value) for name, value in lines}


def proxy_alone(folder: Path) -> dict[str, object]:
    """`jrc proxy` beside a registrar on the wildcard, with a config file of its own."""
    folder.mkdir()
    config = folder / "proxy.toml"
    add_proxy(config, f"[::1]:{COAP_PORT}")
    with ProxyProcess(config) as proxy:
        logged(proxy.log, "proxy_listens_not")
        hint = any("ss -ulpn" in line for line in proxy.log)
    checked = forked.run(JRC, "--config", str(config), "check-config")
    return {"hint": hint, "check_config": checked.returncode, "said": checked.stderr.decode()}


class ProxyProcess:
    """A running `jrc proxy`."""

    def __init__(self, config: Path) -> None:
        self.log: list[str] = []
        self._process = forked.piped(JRC, "--config", str(config), "proxy")
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as stream:
            self.log.extend(stream)

    def __enter__(self) -> "ProxyProcess":
        logged(self.log, "ready")
        return self

    def __exit__(self, *_error: object) -> None:
        self.end(signal.SIGTERM)

    def end(self, number: signal.Signals) -> int:
        """Its exit code after a signal."""
        if self._process.poll() is None:
            os.kill(self._process.pid, number)
        code = self._process.wait(timeout=PATIENCE_S)
        self._reader.join(timeout=PATIENCE_S)
        return code


class Relay:
    """Between proxy and registrar, as the registrar to the one and a client to the other."""

    def __init__(self, identifier: bytes, psk: bytes) -> None:
        self.requests: list[bytes] = []
        self.answers: list[Message] = []
        self.proxy: Any = None
        self._context = derive_for_jrc(psk, identifier)
        self._identifier = identifier
        self._near = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._near.bind((RELAY, COAP_PORT))
        self._far = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._far.connect(("::1", COAP_PORT))
        self._number = 100
        for work in (self._up, self._down):
            threading.Thread(target=work, daemon=True).start()

    def _up(self) -> None:
        while True:
            datagram, source = self._near.recvfrom(4096)
            received = message.decode(datagram)
            if received.token == b"upd":
                self.answers.append(received)
                continue
            self.proxy = source
            self.requests.append(datagram)
            self._far.send(datagram)

    def _down(self) -> None:
        while True:
            self._near.sendto(self._far.recv(4096), self.proxy)

    def numbers(self) -> list[int]:
        """The Partial IVs of the proxy's own requests, one for each that is no copy."""
        found = []
        for datagram in dict.fromkeys(self.requests):
            option = option_of(message.decode(datagram))
            if option.kid_context == self._identifier and option.piv is not None:
                found.append(oscore.decode_piv(option.piv))
        return found

    def update(self, config: Configuration, echo: bytes | None = None) -> Inner:
        """What the proxy answers to a Parameter Update (RFC 9031 §8.2.1)."""
        self._number += 1
        piv = oscore.encode_piv(self._number)
        options = PATH if echo is None else oscore.with_echo(PATH, echo)
        inner = message.encode_inner(CoapCode.POST, options, codec.encode_configuration(config))
        value, sealed = oscore.protect_request(self._context, piv, inner, with_kid_context=False)
        outer = Message(MessageType.CON, CoapCode.POST, 9, b"upd", ((OSCORE, value),), sealed)
        heard = len(self.answers)

        def answered() -> bool:
            self._near.sendto(message.encode(outer), self.proxy)
            time.sleep(0.5)
            return len(self.answers) > heard

        until(answered)
        answer = self.answers[-1]
        plain = oscore.unprotect_response(
            self._context, JRC_ID, piv, option_of(answer), answer.payload
        )
        return message.decode_inner(plain)


def option_of(outer: Message) -> oscore.OscoreOption:
    (value,) = message.option_values(outer.options, OSCORE)
    return oscore.decode_option(value)


def node_config(folder: Path, own: Device, jrc: str) -> Path:
    """A config file of a proxy that joins as a 6LBR with this device's key."""
    ip("address", "replace", f"{NODE_ADDRESS}/64", "dev", RADIO, "nodad")
    psk = folder / "proxy.psk"
    psk.write_text(own.psk.reveal().hex())
    psk.chmod(0o600)
    more = f'pledge_id = "{own.identifier.hex()}"\npsk_file = "proxy.psk"\nnetwork_id = "cafe"\n'
    more += f'[metrics]\nlisten = "127.0.0.1:{METRICS_PORT}"\n'
    add_proxy(folder / "proxy.toml", f"[{jrc}]:{COAP_PORT}", more)
    return folder / "proxy.toml"


def metrics() -> dict[str, float]:
    """The metrics of a proxy of its own."""
    return metrics_of(httpx.get(f"http://127.0.0.1:{METRICS_PORT}/metrics", trust_env=False).text)


def as_a_node(folder: Path) -> dict[str, object]:
    """`jrc proxy` with a key of its own joins, is updated, killed, and joins again."""
    site = Site.make(folder, listen=f"[::1]:{COAP_PORT}")
    site.add_lab("--join-rate", str(RATE))
    own = Device(bytes.fromhex(NODE), site.new_devices(1)[0].psk)
    config = node_config(folder, own, RELAY)
    relay = Relay(own.identifier, own.psk.reveal())
    with site.start() as daemon, ExitStack() as stack:
        daemon.enroll(own, role="6lbr", profile="join-proxy")
        neighbours = [daemon.enroll() for _ in range(4)]
        lost = daemon.enroll().identifier.hex()
        site.run("pledge", "revoke", lost, "--reason", "lost", "--yes")
        proxy = stack.enter_context(ProxyProcess(config))
        logged(proxy.log, "proxy_joined")
        found: dict[str, Any] = {"joined": metrics(), "neighbour": joins(neighbours[0])["joined"]}
        challenge = relay.update(Configuration(join_rate_bytes_per_s=7))
        echo = oscore.echo_of(challenge)
        told = Configuration(join_rate_bytes_per_s=5000, blocklist=(neighbours[1].identifier,))
        found["updates"] = [challenge.code, relay.update(told, echo).code]
        found["updated"] = metrics()
        found["codes"] = [proxy.end(signal.SIGKILL)]
        for _ in range(3):
            proxy = stack.enter_context(ProxyProcess(config))
            logged(proxy.log, "proxy_joined")
            found["codes"].append(proxy.end(signal.SIGKILL))
        with ProxyProcess(config) as proxy:
            logged(proxy.log, "proxy_joined")
            found["after"] = relay.update(told).code
            found["last"] = joins(neighbours[2])["joined"]
            found["further"] = joins_at_a_further_address(
                neighbours[3],
                lambda: metrics()["jrc_proxy_forwarded_total"],
                lambda: listens(FURTHER),
            )
            found["codes"].append(proxy.end(signal.SIGTERM))
        found["numbers"] = relay.numbers()
        found["upstream"] = list(relay.proxy[:2])
        found["shown"] = daemon.api("GET", f"/v1/pledges/{own.identifier.hex()}")["role"]
    return found


def main(folder: Path) -> None:
    folder.mkdir()
    prepare()
    found = {"shared": shared_socket(folder / "shared"), "node": as_a_node(folder / "node")}
    print(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
