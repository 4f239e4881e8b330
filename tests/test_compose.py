"""``deploy/compose.yaml``: what the specification allows, what is shipped, and what jrc reads."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import make_url

from jrc import config
from jrc.config import Settings

CHECKOUT = Path(__file__).parent.parent
DEPLOY = CHECKOUT / "deploy"
FILE = DEPLOY / "compose.yaml"
REGISTRARS = ("jrc", "setup")
LOOPBACK = "127.0.0.1:"


@pytest.fixture(scope="module")
def compose() -> Mapping[str, Any]:
    """The file, with its merges."""
    read: Mapping[str, Any] = yaml.safe_load(FILE.read_text())
    return read


@pytest.fixture(scope="module")
def settings(compose: Mapping[str, Any]) -> Settings:
    """What the registrar in it reads."""
    file = DEPLOY / compose["configs"]["registrar"]["file"]
    return config.parse(file.read_text(), path="/etc/jrc/config.toml")


def targets(service: Mapping[str, Any]) -> dict[str, str]:
    """Folders in the container, with the volume or folder that each is."""
    pairs = (
        each.split(":")[:2] if isinstance(each, str) else (each["source"], each["target"])
        for each in service["volumes"]
    )
    return {target: source for source, target in pairs}


def dockerfile_lines() -> Iterator[list[str]]:
    """The instructions of the Dockerfile, as words."""
    for line in (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ").splitlines():
        if line and not line.startswith("#"):
            yield line.split()


def test_compose_takes_every_key() -> None:
    """The schema of the Compose specification, as check-jsonschema keeps it."""
    command = ("-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(FILE))
    done = subprocess.run([sys.executable, *command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_every_file_that_compose_names_is_shipped(compose: Mapping[str, Any]) -> None:
    """But the secrets, which the first start makes, outside of what git takes."""
    named = [each["file"] for each in compose["configs"].values()]
    for service in compose["services"].values():
        named += [source for source in targets(service).values() if source.startswith(".")]
    assert [] == [name for name in named if name != "./secrets" and not (DEPLOY / name).exists()]
    assert {"./secrets/kek"} == {each["file"] for each in compose["secrets"].values()}
    assert "/deploy/secrets/" in (CHECKOUT / ".gitignore").read_text().splitlines()
    assert compose["services"]["jrc"]["build"] == {"context": ".."}


def test_every_volume_and_network_is_declared(compose: Mapping[str, Any]) -> None:
    """And used."""
    services = compose["services"].values()
    used = {source for each in services for source in targets(each).values()}
    assert set(compose["volumes"]) == {name for name in used if not name.startswith(".")}
    assert set(compose["networks"]) == {
        name for each in services for name in each.get("networks", ())
    }


def test_the_registrars_files_are_where_compose_puts_them(
    compose: Mapping[str, Any], settings: Settings
) -> None:
    """What it writes is in the volume, its key a secret, its database behind the socket."""
    service = compose["services"]["jrc"]
    folders = targets(service)
    assert folders[str(settings.instance_file.parent)] == "state"
    assert folders[str(settings.admin.socket.parent)] == "state"
    assert str(settings.keys.kek_file) == f"/run/secrets/{service['secrets'][0]}"
    assert folders[str(make_url(settings.database.url).query["host"])] == "db-socket"
    assert Path(service["configs"][0]["target"]) in config.SEARCHED


def test_what_setup_makes_is_what_the_registrar_is_given(
    compose: Mapping[str, Any], settings: Settings
) -> None:
    """The same config file, state and database; the folder of the secrets in place of one."""
    setup, service = compose["services"]["setup"], compose["services"]["jrc"]
    assert setup["configs"] == service["configs"]
    assert targets(setup) == {**targets(service), "/run/secrets": "./secrets"}
    assert Path(compose["secrets"]["kek"]["file"]).name == Path(str(settings.keys.kek_file)).name
    assert setup["entrypoint"] == ["jrc", "--config", service["configs"][0]["target"]]
    assert setup["profiles"], "`docker compose up` leaves it alone"


@pytest.mark.parametrize("name", REGISTRARS)
def test_the_registrar_is_confined(compose: Mapping[str, Any], name: str) -> None:
    """Nothing to write to but its volumes, no capability, no way to one."""
    service = compose["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"user", "privileged", "cap_add", "devices", "pid", "ipc"}


@pytest.mark.parametrize("name", ["prometheus", "grafana"])
def test_who_watches_is_confined_as_well(compose: Mapping[str, Any], name: str) -> None:
    """They have a port of this host; Grafana alone writes beside its volume."""
    service = compose["services"][name]
    assert service.get("read_only", False) is (name == "prometheus")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.keys() & {"user", "privileged", "cap_add", "devices", "pid", "ipc"}
    files = [each for each in service["volumes"] if each.startswith(".")]
    assert files
    assert all(each.endswith(":ro") for each in files)


def test_whoever_reaches_grafana_looks_and_changes_nothing(compose: Mapping[str, Any]) -> None:
    """Without an account: no administrator is made, and nobody can be one."""
    told = compose["services"]["grafana"]["environment"]
    assert {
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
        "GF_AUTH_ANONYMOUS_ORG_ROLE": "Viewer",
        "GF_AUTH_BASIC_ENABLED": "false",
        "GF_AUTH_DISABLE_LOGIN_FORM": "true",
        "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION": "true",
    } == {name: told[name] for name in told if name.startswith(("GF_AUTH", "GF_SECURITY"))}


def test_no_secret_is_in_an_environment_variable(compose: Mapping[str, Any]) -> None:
    """Each process of a container, and everybody who may inspect it, reads those."""
    named = {name for each in compose["services"].values() for name in each.get("environment", {})}
    assert [] == [name for name in named if re.search("PASS|SECRET|KEY|TOKEN", name)]
    assert not any("environment" in compose["services"][name] for name in REGISTRARS)
    assert not any("env_file" in each for each in compose["services"].values())


def test_the_registrar_starts_when_its_database_is_healthy(compose: Mapping[str, Any]) -> None:
    """So does what sets it up; and the database tells its own set-up from being ready."""
    for name in REGISTRARS:
        needed = compose["services"][name]["depends_on"]
        assert needed == {"db": {"condition": "service_healthy"}}
    assert "--host=127.0.0.1" in compose["services"]["db"]["healthcheck"]["test"]


def test_the_database_is_reached_over_its_socket_alone(
    compose: Mapping[str, Any], settings: Settings
) -> None:
    """By the role and database that are made for it, which is no superuser."""
    service = compose["services"]["db"]
    url = make_url(settings.database.url)
    rules = (DEPLOY / compose["configs"]["pg_hba"]["file"]).read_text().splitlines()
    given = [line.split() for line in rules if not line.startswith("#")]
    made = (DEPLOY / compose["configs"]["database"]["file"]).read_text()
    assert service["network_mode"] == "none"
    assert given == [["local", "all", "postgres", "peer"], ["local", "jrc", "jrc", "trust"]]
    assert (url.database, url.username, url.host) == ("jrc", "jrc", None)
    assert f"CREATE ROLE {url.username} LOGIN;" in made
    assert f"CREATE DATABASE {url.database} OWNER {url.username} ENCODING 'UTF8'" in made
    (hba,) = [each["target"] for each in service["configs"] if each["source"] == "pg_hba"]
    assert f"hba_file={hba}" in service["command"]


def test_join_requests_alone_are_published_beyond_this_host(
    compose: Mapping[str, Any], settings: Settings
) -> None:
    """Over IPv6; the pages of Prometheus and Grafana on loopback, metrics not at all."""
    published = {name: each.get("ports", []) for name, each in compose["services"].items()}
    (coap,) = published.pop("jrc")
    (listen,) = settings.coap.listen
    assert (listen.port, "udp", "::") == (coap["target"], coap["protocol"], coap["host_ip"])
    assert str(listen.port) == coap["published"]
    assert compose["networks"]["mesh"] == {"enable_ipv6": True}
    assert all(port.startswith(LOOPBACK) for ports in published.values() for port in ports)


def test_compose_checks_health_as_the_image_does(compose: Mapping[str, Any]) -> None:
    """An image in the format of the OCI has no health check of its own."""
    (words,) = [words for words in dockerfile_lines() if words[0] == "HEALTHCHECK"]
    at = words.index("CMD")
    options = dict(word.removeprefix("--").split("=") for word in words[1:at])
    told: dict[str, object] = {name.replace("-", "_"): value for name, value in options.items()}
    told["test"] = ["CMD", *shlex.split(" ".join(words[at + 1 :]).strip("[]").replace(",", " "))]
    assert told == compose["services"]["jrc"]["healthcheck"]


def test_no_image_is_taken_as_it_comes(compose: Mapping[str, Any]) -> None:
    """Each has a version; the registrar's is built here."""
    images = {each["image"] for each in compose["services"].values()}
    assert "jrc" in images
    assert [] == [image for image in images if image != "jrc" and not re.search(r":v?\d", image)]


def test_no_log_fills_the_disk(compose: Mapping[str, Any]) -> None:
    """Docker's own bound is none; joins end with a full disk."""
    for name, service in compose["services"].items():
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name


def test_prometheus_asks_the_registrar_where_its_metrics_are(
    compose: Mapping[str, Any], settings: Settings
) -> None:
    """In place of the target that is shipped for a host without containers."""
    (given,) = compose["services"]["prometheus"]["configs"]
    (group,) = yaml.safe_load((DEPLOY / compose["configs"][given["source"]]["file"]).read_text())
    assert settings.metrics is not None
    assert group == {"targets": [f"jrc:{settings.metrics.listen.port}"]}
    folder = targets(compose["services"]["prometheus"])["/etc/prometheus"]
    replaced = DEPLOY / folder / Path(given["target"]).relative_to("/etc/prometheus")
    assert replaced.exists(), "a mount point has to be there, as the folder is read-only"
