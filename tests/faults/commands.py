"""An operator who works while pledges join, and remembers what was acknowledged."""

import json
import random
import threading
from collections.abc import Sequence
from typing import NamedTuple, Self

import httpx

from tests.daemon.site import Device, Site
from tests.faults.peers import Peers
from tests.faults.witness import Witness

PATIENCE_S = 20.0
FEWEST = 24
"""Pledges that are left in force."""
MOST = 64
ABORTED_SHARE = 0.01
"""Of commands: a rollover outlives several daemons, and is to end at times."""
REKEYED_SHARE = 0.03
"""Of revocations; each takes the place of the rollover that runs."""
REASON = {"reason": "storm"}


class Done(NamedTuple):
    """A command that was acknowledged: what came in, and who was put out."""

    imported: tuple[bytes, ...] = ()
    revoked: tuple[bytes, ...] = ()


NOTHING = Done()


class Commands:
    """One thread of commands over the admin socket, until the daemon dies; a context manager.

    ``rest_s`` is between two of them: in a storm of minutes nobody would be left in force who was
    at its beginning.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        peers: Peers,
        witness: Witness,
        seed: int,
        rest_s: float = 0.0,
    ) -> None:
        self.acknowledged: list[Done] = []
        """In the order of their acknowledgements."""
        self.may_fail = False
        """Whether the registrar may say that it has failed."""
        self._sites = sites
        self._peers = peers
        self._witness = witness
        self._chance = random.Random(seed)
        self._rest_s = rest_s
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._ended.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        assert self._thread is not None
        self._thread.join(PATIENCE_S)

    def _run(self) -> None:
        site = self._chance.choice(self._sites)
        transport = httpx.HTTPTransport(uds=str(site.folder / "admin.sock"))
        with httpx.Client(transport=transport, base_url="http://jrc", timeout=PATIENCE_S) as client:
            try:
                while not self._ended.is_set():
                    self.one(client)
                    self._ended.wait(self._rest_s)
            except httpx.TransportError:
                return

    def one(self, client: httpx.Client) -> None:
        """One command; what it says is noted only once it was acknowledged."""
        chosen = self._chance.random()
        in_force = [peer.index for peer in self._peers if not peer.gone]
        if len(in_force) < FEWEST or (chosen < 0.4 and len(in_force) < MOST):
            self._enroll(client)
        elif chosen < 0.6 and len(in_force) > FEWEST:
            self._revoke(client, self._chance.choice(in_force[1:]))
        elif chosen < 0.75:
            self._say(client, "POST", "/v1/rollovers/lab", {"agreed": True})
        elif chosen < 0.75 + ABORTED_SHARE:
            self._say(client, "POST", "/v1/rollovers/lab/abort", {"agreed": True})
        else:
            rate = self._chance.randrange(1, 60_000)
            self._say(client, "PATCH", "/v1/networks/lab", {"join_rate_bytes_per_s": rate})

    def _say(
        self,
        client: httpx.Client,
        method: str,
        path: str,
        body: dict[str, object],
        meant: Done = NOTHING,
    ) -> bool:
        """Whether it was done; much is refused at the wrong moment."""
        done = client.request(method, path, json={**REASON, **body})
        if done.status_code >= 500 and not self.may_fail:
            self._witness.violated(f"{method} {path} was answered with {done.status_code}")
        if done.is_success:
            self.acknowledged.append(meant)
        return done.is_success

    def _enroll(self, client: httpx.Client) -> None:
        """An import of a file, or one pledge."""
        made = self._sites[0].new_devices(self._chance.randrange(1, 5))
        meant = Done(imported=tuple(device.identifier for device in made))
        if len(made) == 1:
            body = {**_row(made[0]), "networks": ["lab"]}
            done = self._say(client, "POST", "/v1/pledges", body, meant)
        else:
            lines = "".join(json.dumps(_row(each)) + "\n" for each in made)
            params = {**REASON, "format": "jsonl", "source": "storm"}
            answer = client.post("/v1/imports", params=params, content=lines)
            done = answer.is_success and answer.json()["errors"] == []
            if answer.is_success:
                self.acknowledged.append(meant if done else NOTHING)
        if done:
            self._peers.enroll(made)

    def _revoke(self, client: httpx.Client, index: int) -> None:
        peer = self._peers[index]
        peer.gone = True
        path = f"/v1/pledges/{peer.identifier.hex()}/revoke"
        body: dict[str, object] = {"agreed": True, "rekey": self._chance.random() < REKEYED_SHARE}
        if self._say(client, "POST", path, body, Done(revoked=(peer.identifier,))):
            self._witness.revoked[peer.identifier] = self._peers.serial


def _row(device: Device) -> dict[str, object]:
    return {"pledge_id": device.identifier.hex(), "psk": device.psk.reveal().hex()}
