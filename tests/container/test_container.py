"""The image and ``deploy/compose.yaml`` as operators run them: first start, joins, health, end."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from jrc.errors import ExitCode
from tests import postgresql
from tests.certificates import self_signed
from tests.cli.terminal import free_port
from tests.container.bundle import SECRETS, Container, Mount, Project
from tests.container.conftest import NETWORK, OWNER, Image, new_project, volume_at
from tests.container.image import CHECKOUT, size_bytes
from tests.daemon.site import Device, devices
from tests.daemon.wire import Wire

pytestmark = pytest.mark.container

STATE = "/var/lib/jrc"
MEGABYTE = 1_000_000
MAX_MEGABYTES = 200
DEFAULT_BASE_MEGABYTES = 110
"""The default base with its Python, unpacked (debian:trixie-slim, amd64), and some room."""
PASSPHRASE = "correct horse battery staple"


@contextmanager
def registrar(image: Image, project: Project, folder: Path) -> Iterator[Container]:
    """The service ``jrc``, running."""
    service = project.compose["services"]["jrc"]
    with image.container(folder, project.mounts("jrc"), service) as container:
        container.start()
        yield container


def enroll(container: Container, device: Device) -> None:
    """What the operator does for a device."""
    words = ("pledge", "add", device.identifier.hex(), "--psk-file", "-")
    done = container.exec("jrc", *words, given=device.psk.reveal().hex())
    assert done.returncode == 0, done.stderr


def shown(container: Container, device: Device) -> dict[str, object]:
    """`jrc pledge show`."""
    done = container.exec("jrc", "pledge", "show", device.identifier.hex(), "--json")
    found: dict[str, object] = json.loads(done.stdout)
    return found


def files_of(folder: Path) -> dict[str, tuple[int, int]]:
    """Owner and mode of what is in a folder."""
    found = {path.name: path.lstat() for path in folder.iterdir()}
    return {name: (each.st_uid, stat.S_IMODE(each.st_mode)) for name, each in found.items()}


# the image


def test_the_image_is_small_on_its_default_base(image_of_jrc: Image) -> None:
    """What it adds to a base, and that with the default one: under 200 MB."""
    whole = size_bytes(image_of_jrc.root) / MEGABYTE
    own = whole - size_bytes(image_of_jrc.builder.mounted("base")) / MEGABYTE
    print(f"image: {whole:.0f} MB here, of which {own:.0f} MB are the registrar's")
    assert whole < MAX_MEGABYTES
    assert own + DEFAULT_BASE_MEGABYTES < MAX_MEGABYTES


def test_the_image_asks_to_be_run_as_nobody_important(image_of_jrc: Image) -> None:
    """By number, with a volume for its state, a health check, and no setting but two."""
    config = image_of_jrc.config
    assert (f"{OWNER}:{OWNER}", {STATE: {}}) == (config["User"], config["Volumes"])
    assert ["CMD", "jrc", "healthcheck"] == config["Healthcheck"]["Test"]
    assert {"PATH", "PYTHONDONTWRITEBYTECODE"} == {each.partition("=")[0] for each in config["Env"]}


def test_the_image_has_no_tool_that_installs_or_builds(image_of_jrc: Image) -> None:
    """Nor anything of the tests: what is not there has no faults."""
    root = image_of_jrc.root
    packages = {path.name.partition("-")[0] for path in root.glob("opt/jrc/lib/*/site-packages/*")}
    assert {"jrc", "psycopg", "psycopg_binary"} <= packages
    assert not packages & {"pip", "setuptools", "hatchling", "pytest", "tests"}
    assert not (root / "src").exists()
    assert not (root / "build").exists()


def test_nothing_but_the_program_reaches_the_builder(image_of_jrc: Image, tmp_path: Path) -> None:
    """A database or key in the checkout gets into no layer."""
    context = tmp_path / "context"
    context.mkdir()
    wanted = {"jrc", "migrations", "requirements", "pyproject.toml", "README.md", "LICENSE"}
    for name in (*wanted, "kek", "jrc.db", "config.toml", ".git", "deploy", "tests"):
        (context / name).write_text("")
    (context / ".dockerignore").write_bytes((CHECKOUT / ".dockerignore").read_bytes())
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM scratch\nCOPY . /\n")
    image_of_jrc.builder.build("context", dockerfile, context)
    root = image_of_jrc.builder.mounted("context")
    assert wanted == {path.name for path in root.iterdir()}


# one container with an SQLite file


def test_a_volume_is_set_up_once_and_never_overwritten(
    image_of_jrc: Image, volume: Path, tmp_path: Path
) -> None:
    """`docker run jrc init --dir /var/lib/jrc`: files that its user alone reads."""
    mounts = [Mount(volume, STATE)]
    with image_of_jrc.container(tmp_path / "first", mounts) as container:
        done = container.run("init", "--dir", STATE)
    assert done.returncode == 0, done.stderr
    made = files_of(volume)
    assert {
        "config.toml": (OWNER, 0o640),
        "kek": (OWNER, 0o600),
        "jrc.db": (OWNER, 0o600),
        "jrc.instance": (OWNER, 0o600),
    } == made
    key = (volume / "kek").read_bytes()
    with image_of_jrc.container(tmp_path / "second", mounts) as container:
        again = container.run("init", "--dir", STATE)
    assert again.returncode == ExitCode.REFUSED
    assert (key, made) == ((volume / "kek").read_bytes(), files_of(volume))


def test_a_container_without_its_volume_says_what_is_missing(
    image_of_jrc: Image, volume: Path, tmp_path: Path
) -> None:
    """The first thing that everybody does."""
    with image_of_jrc.container(tmp_path / "container", [Mount(volume, STATE)]) as container:
        done = container.run("run")
    assert done.returncode == ExitCode.FAILED
    assert "`jrc init` writes one" in done.stderr


def test_a_pledge_joins_a_registrar_with_an_sqlite_file(
    image_of_jrc: Image, volume: Path, tmp_path: Path
) -> None:
    """All state is in the one volume."""
    mounts = [Mount(volume, STATE)]
    with image_of_jrc.container(tmp_path / "init", mounts) as container:
        assert container.run("init", "--dir", STATE).returncode == 0
    config = volume / "config.toml"
    config.write_text(config.read_text().replace("[::]:5683", "[::1]:0"))
    (device,) = devices(1)
    with image_of_jrc.container(tmp_path / "jrc", mounts) as container:
        container.start()
        address = container.listening()
        assert container.exec("jrc", *NETWORK).returncode == 0
        enroll(container, device)
        with Wire(address) as wire:
            wire.join(device.pledge())
        assert "joined" == shown(container, device)["state"]
        assert 0 == container.stop()


def test_a_volume_that_was_copied_goes_on_once_somebody_has_said_so(
    image_of_jrc: Image, volume: Path, tmp_path: Path
) -> None:
    """As docs/container.md says; without that word it would answer nobody."""
    with image_of_jrc.container(tmp_path / "init", [Mount(volume, STATE)]) as container:
        assert container.run("init", "--dir", STATE).returncode == 0
    config = volume / "config.toml"
    config.write_text(config.read_text().replace("[::]:5683", "[::1]:0"))
    new = tmp_path / "new"
    subprocess.run(["cp", "-a", volume, new], check=True)
    mounts = [Mount(new, STATE)]
    with image_of_jrc.container(tmp_path / "copied", mounts) as container:
        container.start()
        container.listening()
        assert "quarantined" in container.exec("jrc", "healthcheck").stderr
        assert 0 == container.stop()
    with image_of_jrc.container(tmp_path / "accepted", mounts) as container:
        done = container.run("db", "accept-copy", "--reason", "moved to the new disk", "--yes")
        assert done.returncode == 0, done.stderr
    with image_of_jrc.container(tmp_path / "moved", mounts) as container:
        container.start()
        container.listening()
        assert 0 == container.exec("jrc", "healthcheck").returncode
        assert 0 == container.stop()


def test_the_page_and_the_api_of_a_container_are_reached_from_its_server(
    image_of_jrc: Image, volume: Path, tmp_path: Path
) -> None:
    """As docs/container.md says: the page by the socket in the volume, or on the host's network by
    its port; the API by TLS with a token, its certificate in a folder of the registrar's user."""
    with image_of_jrc.container(tmp_path / "init", [Mount(volume, STATE)]) as container:
        assert container.run("init", "--dir", STATE).returncode == 0
    page, api = free_port(), free_port()
    config = volume / "config.toml"
    config.write_text(
        config.read_text().replace("[::]:5683", "[::1]:0")
        + f'[page]\nlisten = "127.0.0.1:{page}"\n[api]\nlisten = "127.0.0.1:{api}"\n'
        'certificate = "/etc/jrc/tls/cert.pem"\nprivate_key = "/etc/jrc/tls/key.pem"\n'
    )
    tls = volume_at(tmp_path / "tls")
    files = self_signed(tls)
    for file in files:
        os.chown(file, OWNER, OWNER)
    mounts = [Mount(volume, STATE), Mount(tls, "/etc/jrc/tls", is_read_only=True)]
    with image_of_jrc.container(tmp_path / "jrc", mounts) as container:
        container.start()
        container.listening()
        link = json.loads(container.exec("jrc", "page", "--json").stdout)["url"]
        assert link.startswith(f"http://127.0.0.1:{page}/#key=")
        for at in ([], ["--unix-socket", str(volume / "admin.sock")]):
            assert "<html" in curl(*at, link.partition("#")[0])
        made = container.exec("jrc", "token", "add", "test", "--scope", "read", "--json")
        header = f"Authorization: Bearer {json.loads(made.stdout)['token']}"
        trusted = ("--cacert", str(files.certificate), "--header", header)
        assert '"networks"' in curl(*trusted, f"https://localhost:{api}/v1/status")
        assert 0 == container.stop()


def curl(*words: str) -> str:
    """The answer to a request, which must be a good one."""
    done = subprocess.run(
        ["curl", "--silent", "--fail-with-body", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    return done.stdout


# deploy/compose.yaml


@postgresql.NEEDED
def test_the_first_start_of_compose_makes_a_key_that_compose_hands_on(
    image_of_jrc: Image, project: Project, tmp_path: Path
) -> None:
    """`setup init`: a file of the registrar's alone, not made anew by a second one."""
    code, said = image_of_jrc.set_up(project, tmp_path / "first", "init")
    assert code == 0, said
    assert {"kek": (OWNER, 0o600)} == files_of(project.folder / "secrets")
    assert {"jrc.instance": (OWNER, 0o600)} == files_of(project.volumes["state"])
    key = (project.folder / "secrets/kek").read_bytes()
    code, said = image_of_jrc.set_up(project, tmp_path / "second", "init")
    assert (ExitCode.REFUSED, key) == (code, (project.folder / "secrets/kek").read_bytes()), said


@postgresql.NEEDED
def test_compose_runs_a_registrar_that_keeps_its_state(
    image_of_jrc: Image, ready: Project, tmp_path: Path
) -> None:
    """A pledge joins; after SIGTERM and a new start it is known, and its old request is not."""
    (device,) = devices(1)
    pledge = device.pledge()
    with registrar(image_of_jrc, ready, tmp_path / "first") as container:
        address = container.listening()
        enroll(container, device)
        with Wire(address) as wire:
            old = pledge.request()
            wire.ask(old)
            before = wire.join(pledge)
        assert 0 == container.stop()
    with (
        registrar(image_of_jrc, ready, tmp_path / "second") as container,
        Wire(container.listening()) as wire,
    ):
        verdict = container.exec("jrc", "doctor", "--json")
        checks = {each["name"]: each["status"] for each in json.loads(verdict.stdout)["checks"]}
        assert "success" == checks["join"], verdict.stdout
        assert "failure" not in checks.values(), verdict.stdout
        wire.assert_silence([old], pledge)
        assert before.short_id == wire.join(pledge).short_id
        assert 0 == container.stop()


@postgresql.NEEDED
def test_the_health_check_tells_a_registrar_that_stands_still(
    image_of_jrc: Image, ready: Project, tmp_path: Path
) -> None:
    """Exit code 0 while joins are answered, 1 while nobody is, and 0 when that is over."""
    check = image_of_jrc.config["Healthcheck"]["Test"][1:]
    with registrar(image_of_jrc, ready, tmp_path / "jrc") as container:
        container.listening()
        done = container.exec(*check)
        assert (0, "joins are answered\n") == (done.returncode, done.stdout), done.stderr
        container.signal(signal.SIGSTOP)
        still = container.exec(*check)
        container.signal(signal.SIGCONT)
        assert 1 == still.returncode
        assert "has not answered within 3 s" in still.stderr
        container.wait_until_well(*check)
        assert 0 == container.stop()


@postgresql.NEEDED
def test_a_registrar_whose_key_is_not_there_is_not_healthy(
    image_of_jrc: Image, ready: Project, volume: Path, tmp_path: Path
) -> None:
    """It is sealed and says so, works all the same, and the cause is in the health log."""
    mounts = [each for each in ready.mounts("jrc") if "secrets" not in each.target]
    mounts.append(Mount(volume, SECRETS, is_read_only=True))
    service = ready.compose["services"]["jrc"]
    with image_of_jrc.container(tmp_path / "jrc", mounts, service) as container:
        container.start()
        container.wait_for("sealed")
        done = container.exec("jrc", "healthcheck")
        assert 1 == done.returncode
        assert "sealed: keys.kek_file: /run/secrets/kek does not exist" in done.stderr
        assert 0 == container.exec("jrc", "healthcheck", "--alive").returncode
        assert 0 == container.stop()


@postgresql.NEEDED
def test_a_backup_moves_to_another_server(
    image_of_jrc: Image, ready: Project, tmp_path: Path
) -> None:
    """With the key file and `setup backup restore`; quarantined there, as any old copy."""
    with registrar(image_of_jrc, ready, tmp_path / "jrc") as container:
        container.listening()
        words = ("backup", "create", f"{STATE}/now.backup", "--passphrase-file", "-")
        done = container.exec("jrc", *words, given=PASSPHRASE)
        assert done.returncode == 0, done.stderr
        assert 0 == container.stop()
    backup = Mount(ready.volumes["state"] / "now.backup", "/now.backup", is_read_only=True)
    with new_project(tmp_path / "other") as other:
        key = shutil.copy2(ready.folder / "secrets/kek", other.folder / "secrets/kek")
        os.chown(key, OWNER, OWNER)
        words = ("backup", "restore", "/now.backup", "--passphrase-file", "-")
        code, said = image_of_jrc.set_up(
            other, tmp_path / "restore", *words, more=[backup], given=PASSPHRASE
        )
        assert code == 0, said
        with registrar(image_of_jrc, other, tmp_path / "again") as container:
            container.listening()
            done = container.exec("jrc", "healthcheck")
            assert (1, True) == (done.returncode, "quarantined" in done.stderr)
            assert "lab" in container.exec("jrc", "network", "list").stdout
            assert 0 == container.exec("jrc", "recover", "--dry-run").returncode
            assert 0 == container.stop()


@postgresql.NEEDED
def test_the_registrar_in_compose_can_do_nothing_but_its_work(
    image_of_jrc: Image, ready: Project, tmp_path: Path
) -> None:
    """No root, no capability, nothing writable but its state, a key that it can't change."""
    key = (ready.folder / "secrets/kek").read_text().strip()
    with registrar(image_of_jrc, ready, tmp_path / "jrc") as container:
        container.listening()
        status = dict(
            re.findall(r"^(\w+):\s*(.*)$", Path(f"/proc/{container.pid}/status").read_text(), re.M)
        )
        assert {"Uid": f"{OWNER}\t" * 3 + f"{OWNER}", "NoNewPrivs": "1"}.items() <= status.items()
        assert {"0000000000000000"} == {
            status[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
        }
        assert key not in Path(f"/proc/{container.pid}/environ").read_text()
        for place in ("/x", "/opt/jrc/x", "/etc/x", "/tmp/x", "/run/secrets/kek"):
            assert 0 != container.exec("sh", "-c", f"echo x >>{place}").returncode, place
        assert 0 == container.exec("sh", "-c", f"echo x >{STATE}/x").returncode
        superuser = "import psycopg; psycopg.connect('host=/run/postgresql user=postgres')"
        refused = container.exec("/opt/jrc/bin/python", "-c", superuser)
        assert "Peer authentication failed" in refused.stderr
        assert 0 == container.stop()
    assert key not in json.dumps(dict(image_of_jrc.config))
    assert os.listdir(ready.folder / "secrets") == ["kek"]
