"""The admin API over TCP: a daemon with TLS and tokens, and commands from elsewhere."""

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from jrc.handover.envelope import Cover
from jrc.handover.sealing import seal
from tests.certificates import self_signed
from tests.daemon.remote import on_tcp
from tests.daemon.site import PATIENCE_S, Daemon, Site
from tests.daemon.wire import Wire
from tests.handover.making import Ends, packing
from tests.provision.board import boot_lines, device_id

REACHED, UNREACHABLE, REFUSED, USAGE = 0, 3, 6, 2


@dataclass
class Remote:
    """A daemon whose API is on TCP; commands know nothing but its URL."""

    site: Site
    daemon: Daemon
    url: str
    folder: Path

    def run(
        self,
        *words: str,
        token: str = "",
        given: str = "",
        environ: Mapping[str, str] | None = None,
    ) -> tuple[int, str, str]:
        """Exit code, output and errors of `jrc --url ...`, in a place without a config file."""
        where = ("--url", self.url, "--ca", str(self.site.folder / "cert.pem"))
        done = self.site.attempt(
            *where, *words, configured=False, given=given,
            environ={"JRC_TOKEN": token, "JRC_CONFIG": "/nowhere", **(environ or {})},
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    def add(self, name: str, scope: str, *more: str) -> str:
        """A token, made on the registrar's host."""
        return self.site.run("token", "add", name, "--scope", scope, *more).stdout.strip()


@pytest.fixture(scope="module")
def remote(template: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Remote]:
    site = template.copy(tmp_path_factory.mktemp("tcp") / "site")
    port = on_tcp(site)
    with site.start() as daemon:
        yield Remote(site, daemon, f"https://127.0.0.1:{port}", site.folder)
        assert daemon.stop() == 0


def rows(site: Site, count: int) -> str:
    made = site.new_devices(count)
    return "\n".join(
        json.dumps({"pledge_id": d.identifier.hex(), "psk": d.psk.reveal().hex()}) for d in made
    )


def test_a_bench_far_from_the_registrar_needs_a_token_for_imports_alone(remote: Remote) -> None:
    """And no config; without the scope nothing is stored, and it is said why."""
    log = remote.folder / "board.log"
    log.write_bytes(boot_lines(1))
    watch = ("provision", "watch", str(log), "--once", "--json")
    code, out, err = remote.run(*watch, token=remote.add("looks", "read"))
    assert (code, json.loads(out.splitlines()[-1])["not_stored"]) == (4, [device_id(1)]), err
    code, out, err = remote.run(*watch, token=remote.add("bench", "import"))
    assert (code, json.loads(out.splitlines()[-1])["stored"]) == (0, {device_id(1): "new"}), err
    code, out, err = remote.run(*watch, token="")
    assert (code, out) == (USAGE, "")
    assert "wants a token" in err


def test_a_build_machine_imports_with_a_token_for_that_alone(
    remote: Remote, tmp_path: Path
) -> None:
    """With the report of each row, as on the registrar's own host."""
    token = remote.add("ci", "import", "--expires", "30d", "--reason", "build 7")
    report = tmp_path / "report.csv"
    words = ("pledge", "import", "-", "--format", "jsonl", "--report", str(report))
    code, _, said = remote.run(*words, token=token, given=rows(remote.site, 3))
    assert (code, "3 rows read" in said) == (0, True)
    assert len(report.read_text().splitlines()) == 4
    code, _, said = remote.run("pledge", "list", token=token)
    assert (code, "needs the scope read" in said) == (REFUSED, True)
    (event,) = json.loads(remote.site.run("events", "--kind", "import.published", "--json").stdout)
    assert event["actor"] == "token=ci"


def test_a_sealed_file_is_opened_from_elsewhere(remote: Remote, tmp_path: Path) -> None:
    """The private key stays there; a token for imports is enough, and the file is used up."""
    ends, token = Ends.new(), remote.add("desk", "import")
    (device,) = remote.site.new_devices(1)
    rows = packing([f"{device.identifier.hex()},{device.psk.reveal().hex()}"])
    ids = ends.builder.public.key_id, ends.registrar.public.key_id
    now_s = int(time.time())
    cover = Cover(*ids, "1", now_s, now_s + 3600, 1)
    sealed = seal(rows.content(), cover, ends.builder, ends.registrar.public)
    (tmp_path / "b.sealed").write_bytes(sealed)
    (tmp_path / "builder.pub").write_bytes(ends.builder.public.pem())
    (tmp_path / "registrar.key").write_bytes(ends.registrar.pem().reveal())
    (tmp_path / "registrar.key").chmod(0o600)
    words = (
        "handover",
        "open",
        str(tmp_path / "b.sealed"),
        "--from",
        str(tmp_path / "builder.pub"),
    )
    own = ("--key", str(tmp_path / "registrar.key"))
    code, _, said = remote.run(*words, *own, token=token)
    assert (code, "stored: 1 row read, 1 added" in said) == (0, True), said
    code, _, said = remote.run(*words, *own, token=token)
    assert (code, "by token=desk, and is opened once" in said) == (REFUSED, True)


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not there")
def test_curl_imports_as_the_guide_says(remote: Remote, tmp_path: Path) -> None:
    """The options of docs/api.md, with the token from a file that nobody else reads."""
    (tmp_path / "header").write_text(f"Authorization: Bearer {remote.add('curl', 'import')}")
    (tmp_path / "keys.jsonl").write_text(rows(remote.site, 2))
    done = subprocess.run(
        [
            *("curl", "--silent", "--fail-with-body", "--cacert", remote.site.folder / "cert.pem"),
            *("-H", f"@{tmp_path / 'header'}", "-T", tmp_path / "keys.jsonl", "-X", "POST"),
            f"{remote.url}/v1/imports?source=keys.jsonl&rows=2&reason=batch%207",
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=PATIENCE_S,
    )
    assert json.loads(done.stdout)["added"] == 2


def test_commands_do_elsewhere_what_they_do_on_the_host(remote: Remote, tmp_path: Path) -> None:
    """Those that ask, list, page and stream; the token from a file."""
    token = remote.add("alice", "operate")
    (tmp_path / "token").write_text(token + "\n")
    (tmp_path / "token").chmod(0o600)
    asked = ("--token-file", str(tmp_path / "token"))
    assert remote.run(*asked, "network", "show", "lab")[0] == 0
    assert remote.run(*asked, "status", "--json")[0] == 0
    code, found, _ = remote.run(*asked, "rollover", "start", "lab", "--yes", "--json")
    assert (code, json.loads(found)["network"]) == (0, "lab")
    code, found, _ = remote.run(*asked, "events", "--json", "--kind", "rollover")
    assert remote.run(*asked, "network", "set", "lab", "--lease-hours", "9")[0] == 0


def test_what_belongs_to_the_host_is_refused_from_elsewhere(remote: Remote) -> None:
    """Before anything is asked, read or written."""
    for words in (("check-config",), ("keys", "restore"), ("db", "upgrade")):
        code, _, said = remote.run(*words, token="jrc_" + "A" * 43)
        assert code == USAGE, (words, said)


def test_a_revoked_token_counts_no_more_at_once(remote: Remote) -> None:
    """Without a restart, whatever connection it comes over."""
    token = remote.add("bob", "read")
    assert remote.run("network", "list", token=token)[0] == 0
    remote.site.run("token", "revoke", "bob", "--reason", "left")
    code, _, said = remote.run("network", "list", token=token)
    assert (code, "there is none that counts" in said) == (REFUSED, True)


@pytest.mark.parametrize(
    ("url", "token", "code", "sentence"),
    [
        ("http://127.0.0.1:{port}", "jrc_" + "A" * 43, USAGE, "--url is none of a registrar"),
        ("https://x:y@127.0.0.1:{port}", "jrc_" + "A" * 43, USAGE, "--url is none"),
        ("https://127.0.0.1:1", "jrc_" + "A" * 43, UNREACHABLE, "can't be reached"),
        ("https://127.0.0.1:{port}", "", USAGE, "wants a token"),
        ("https://127.0.0.1:{port}", "secret", 1, "$JRC_TOKEN holds no token"),
    ],
)
def test_what_is_wrong_with_the_way_there_is_one_sentence(
    remote: Remote, url: str, token: str, code: int, sentence: str
) -> None:
    """And no token leaves for a place that is not the registrar."""
    port = remote.url.rpartition(":")[2]
    ca = str(remote.site.folder / "cert.pem")
    done = remote.site.attempt(
        *("--url", url.format(port=port), "--ca", ca, "network", "list"),
        configured=False,
        environ={"JRC_TOKEN": token},
    )
    assert (done.returncode, sentence in done.stderr) == (code, True), done.stderr


def test_a_certificate_that_nobody_vouches_for_is_refused(remote: Remote) -> None:
    """The sentence says what to do."""
    done = remote.site.attempt(
        *("--url", remote.url, "network", "list"),
        configured=False,
        environ={"JRC_TOKEN": "jrc_" + "A" * 43},
    )
    assert done.returncode == UNREACHABLE
    assert "certificate that does not count" in done.stderr
    assert "--ca" in done.stderr


def test_a_new_certificate_is_taken_while_the_daemon_runs(site: Site) -> None:
    """Both files are replaced, as who renews them does; status and doctor tell its end."""
    port = on_tcp(site)
    with site.start() as daemon:
        token = site.run("token", "add", "x", "--scope", "read").stdout.strip()
        self_signed(site.folder, days=9)
        context = ssl.create_default_context(cafile=site.folder / "cert.pem")
        headers = {"authorization": f"Bearer {token}"}

        def is_taken() -> bool:
            with httpx.Client(verify=context, trust_env=False, timeout=PATIENCE_S) as client:
                try:
                    url = f"https://127.0.0.1:{port}/v1/health"
                    return client.get(url, headers=headers).status_code == 200
                except httpx.ConnectError:
                    return False

        ends = time.monotonic() + PATIENCE_S
        while not is_taken():
            assert time.monotonic() < ends, "".join(daemon.log[-5:])
            time.sleep(0.2)
        found = json.loads(site.attempt("doctor", "--json", "--no-join").stdout)["checks"]
        (check,) = (each for each in found if each["name"] == "api")
        assert (check["status"], check["what"][:24]) == ("warning", "the certificate ends in ")


def test_joins_are_answered_while_strangers_hammer_the_api(remote: Remote) -> None:
    """Handshakes that stand still, connections without end, requests with bad tokens."""
    port = int(remote.url.rpartition(":")[2])
    over = threading.Event()
    held: list[socket.socket] = []

    def hammer() -> None:
        context = ssl._create_unverified_context()
        while not over.is_set():
            stranger = socket.socket()
            stranger.settimeout(1)
            try:
                stranger.connect(("127.0.0.1", port))
                if len(held) < 200:
                    held.append(stranger)
                    continue
                with context.wrap_socket(stranger) as opened:
                    opened.sendall(b"GET /v1/pledges HTTP/1.1\r\nhost: x\r\n\r\n")
                    opened.recv(100)
            except OSError:
                stranger.close()

    (device,) = remote.site.new_devices(1)
    remote.site.import_devices([device])
    strangers = [threading.Thread(target=hammer, daemon=True) for _ in range(2)]
    for each in strangers:
        each.start()
    try:
        with Wire(remote.daemon.address) as wire:
            for number in range(20):
                pledge = device.pledge(first=10 * number)
                wire.join(pledge)
    finally:
        over.set()
        for each in strangers:
            each.join()
        for stranger in held:
            stranger.close()


def test_no_token_is_in_log_database_or_metrics(remote: Remote) -> None:
    """Of all that were made and shown here."""
    token = remote.add("carol", "read")
    for _ in range(3):
        remote.run("network", "list", token=token)
    assert token[4:] not in "".join(remote.daemon.log)
    found = remote.daemon.metrics()
    counted = 'method="GET",route="/v1/networks",socket="tcp",status="200"'
    assert found[f"jrc_api_requests_total{{{counted}}}"] >= 3
    assert found["jrc_api_certificate_expires_timestamp_seconds"] > 1.7e9
    assert token[4:] not in "".join(found)
    for file in remote.folder.glob("jrc.db*"):
        assert token[4:].encode() not in file.read_bytes()
