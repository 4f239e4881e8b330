"""What is shipped to operators fits the program and the example config."""

import shlex
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from jrc import config

CHECKOUT = Path(__file__).parent.parent
Unit = dict[tuple[str, str], list[str]]


def unit(name: str) -> Unit:
    """The settings of a systemd unit: (section, key) to values in order, an empty one clears."""
    found: Unit = defaultdict(list)
    section = ""
    for line in (CHECKOUT / "deploy/systemd" / name).read_text().splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, equals, value = line.partition("=")
            assert equals, f"no setting: {line}"
            assert section, f"no section: {line}"
            found[section, key].append(value)
    return found


def test_the_service_runs_the_daemon_on_a_config_file_that_is_also_searched() -> None:
    """`jrc status` without ``--config`` meets the same daemon."""
    service = unit("jrc.service")
    (command,) = service["Service", "ExecStart"]
    program, option, path, verb = shlex.split(command)
    assert (program, option, verb) == ("/usr/bin/jrc", "--config", "run")
    assert Path(path) in config.SEARCHED
    assert service["Service", "Type"] == ["notify"]


def test_the_service_owns_the_folders_of_the_example_config() -> None:
    """The defaults work in the sandbox, where all else is read-only."""
    service, settings = unit("jrc.service"), config.parse(config.example())
    state = Path("/var/lib") / service["Service", "StateDirectory"][0]
    run = Path("/run") / service["Service", "RuntimeDirectory"][0]
    files = {settings.database.file, settings.keys.kek_file, settings.instance_file}
    assert {state} == {f.parent for f in files if f}
    assert run == settings.admin.socket.parent
    assert service["Service", "StateDirectoryMode"] == ["0700"]


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("User", ["jrc"]),
        ("CapabilityBoundingSet", [""]),
        ("AmbientCapabilities", [""]),
        ("NoNewPrivileges", ["yes"]),
        ("ProtectSystem", ["strict"]),
        ("ProtectHome", ["yes"]),
        ("PrivateDevices", ["yes"]),
        ("MemoryDenyWriteExecute", ["yes"]),
        ("SystemCallFilter", ["@system-service", "~@privileged @resources"]),
        ("LimitCORE", ["0"]),
        ("UMask", ["0077"]),
    ],
)
def test_the_service_has_no_privilege(key: str, values: list[str]) -> None:
    """UDP port 5683 needs none, and a core dump would hold keys."""
    assert values == unit("jrc.service")["Service", key]


def test_the_service_sees_who_asks_on_the_admin_socket() -> None:
    """In a user namespace SO_PEERCRED gives 65534 for every user (user_namespaces(7))."""
    service = unit("jrc.service")
    assert [key for _, key in service if key in ("PrivateUsers", "PrivateUsersEx")] == []
    assert "DynamicUser" not in {key for _, key in service}


def test_the_service_can_speak_every_family_the_daemon_opens() -> None:
    """CoAP over IPv6, metrics over IPv4, the admin socket and readiness over Unix sockets."""
    (families,) = unit("jrc.service")["Service", "RestrictAddressFamilies"]
    assert {"AF_UNIX", "AF_INET", "AF_INET6"} <= set(families.split())


def test_the_proxys_service_has_no_more_rights_than_the_registrars() -> None:
    """It runs `jrc proxy`, needs no admin socket, and is confined alike."""
    proxy, registrar = unit("jrc-proxy.service"), unit("jrc.service")
    (command,) = proxy["Service", "ExecStart"]
    assert ["--config", "/etc/jrc/proxy.toml", "proxy"] == shlex.split(command)[1:]
    own = {"ExecStart", "StateDirectory", "PrivateUsers"}
    limits = {"MemoryMax", "TasksMax", "LimitNOFILE"}
    for (section, key), values in proxy.items():
        if section == "Service" and key not in own | limits:
            assert values == registrar[section, key], key
    left_out = {key for section, key in registrar if (section, key) not in proxy}
    assert {"RuntimeDirectory", "RuntimeDirectoryMode"} == left_out


def test_the_drop_in_for_a_serial_line_opens_that_and_no_more() -> None:
    """An installer of keys needs its device; all else of the sandbox stays."""
    drop_in, service = unit("serial-radio.conf"), unit("jrc.service")
    assert drop_in == {
        ("Service", "PrivateDevices"): ["no"],
        ("Service", "DeviceAllow"): ["/dev/ttyACM0 rw"],
        ("Service", "SupplementaryGroups"): ["dialout"],
    }
    assert service["Service", "DevicePolicy"] == ["closed"]
    assert service["Service", "ExecPaths"] == ["/usr"]


def test_the_drop_in_for_a_radio_of_this_host_gives_one_capability() -> None:
    """Link-layer keys are set with CAP_NET_ADMIN over netlink; all else of the sandbox stays."""
    drop_in, service = unit("wpan.conf"), unit("jrc.service")
    assert drop_in == {
        ("Service", "CapabilityBoundingSet"): ["CAP_NET_ADMIN"],
        ("Service", "AmbientCapabilities"): ["CAP_NET_ADMIN"],
    }
    (families,) = service["Service", "RestrictAddressFamilies"]
    assert "AF_NETLINK" in families.split()
    assert ("Service", "PrivateNetwork") not in service


def test_the_socket_unit_listens_where_the_default_config_does() -> None:
    """Taking the socket unit changes no address."""
    (listening,) = unit("jrc.socket")["Socket", "ListenDatagram"]
    assert (config.endpoint(listening),) == config.parse("").coap.listen


def test_the_image_runs_as_nobody_important_and_installs_what_is_pinned() -> None:
    """The last USER is no root, and nothing is installed without hash or from elsewhere."""
    lines = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["jrc"]
    installs = [part for line in lines for part in line.split("&&") if "pip install" in part]
    assert installs
    for part in installs:
        assert "--no-deps" in part
        assert "--require-hashes" in part or "--no-index" in part


def test_every_dependency_is_pinned_by_hash() -> None:
    """What pyproject.toml asks for is in both lock files, and no line there is without a hash."""
    wanted = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    for name in ("run.txt", "dev.txt"):
        text = (CHECKOUT / "requirements" / name).read_text()
        pinned = [line for line in text.splitlines() if line and line[0] not in " #"]
        assert [line for line in pinned if "==" not in line or not line.endswith("\\")] == []
        assert {w.partition(">")[0] for w in wanted} <= {line.partition("==")[0] for line in pinned}


@pytest.mark.parametrize("path", sorted((CHECKOUT / "requirements").glob("*.txt")))
def test_no_lock_file_names_an_index(path: Path) -> None:
    """Where packages come from is the operator's choice, and none of ours."""
    text = path.read_text()
    assert [word for word in ("://", "--index-url", "--find-links") if word in text] == []
