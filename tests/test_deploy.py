"""What is shipped to operators fits the program and the example config."""

import ast
import itertools
import re
import shlex
import shutil
import subprocess
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from jrc import config
from jrc.cli.wpan import REGISTRARS_USER
from tests.documents.blocks import below
from tests.systemd.conftest import LEFT_OUT

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
    assert (program, option, verb) == ("jrc", "--config", "run")
    assert Path(path) in config.SEARCHED
    assert service["Service", "Type"] == ["notify"]


def test_a_later_systemd_waits_until_settings_are_in_force() -> None:
    """Type=notify-reload sends SIGHUP itself, and the one before it knows no such type."""
    assert unit("jrc.service")["Service", "ExecReload"] == ["kill -HUP $MAINPID"]
    assert unit("notify-reload.conf") == {
        ("Service", "Type"): ["notify-reload"],
        ("Service", "ExecReload"): [""],
    }


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
        ("DynamicUser", ["yes"]),
        ("Group", ["jrc"]),
        ("CapabilityBoundingSet", [""]),
        ("AmbientCapabilities", [""]),
        ("NoNewPrivileges", ["yes"]),
        ("ProtectSystem", ["strict"]),
        ("ProtectHome", ["yes"]),
        ("PrivateDevices", ["yes"]),
        ("MemoryDenyWriteExecute", ["yes"]),
        ("SystemCallFilter", ["@system-service", "~@privileged @resources @aio"]),
        ("LimitCORE", ["0"]),
        ("UMask", ["0077"]),
        ("StateDirectoryMode", ["0700"]),
        ("RuntimeDirectoryMode", ["0755"]),
    ],
)
def test_the_service_has_no_privilege(key: str, values: list[str]) -> None:
    """UDP port 5683 needs none, and a core dump would hold keys."""
    assert values == unit("jrc.service")["Service", key]


def test_the_service_sees_who_asks_on_the_admin_socket() -> None:
    """In a user namespace SO_PEERCRED gives 65534 for every user (user_namespaces(7))."""
    service = unit("jrc.service")
    assert [key for _, key in service if key in ("PrivateUsers", "PrivateUsersEx")] == []


def test_the_groups_name_is_no_users() -> None:
    """systemd.exec(5): a dynamic user's name may not be that of a group that is there always."""
    text = (CHECKOUT / "deploy/systemd/jrc.sysusers").read_text()
    (group,) = [line.split()[1] for line in text.splitlines() if line.startswith("g ")]
    for name in ("jrc.service", "jrc-proxy.service", "jrc-backup.service"):
        service = unit(name)
        assert service["Service", "Group"] == [group]
        assert service["Service", "User"] != [group]
    users = [unit(f"{name}.service")["Service", "User"] for name in ("jrc", "jrc-proxy")]
    assert users[0] != users[1]


def test_the_process_that_has_the_keys_opens_no_socket_to_the_network() -> None:
    """Its ports are passed in; a drop-in lets who needs more open some."""
    (families,) = unit("jrc.service")["Service", "RestrictAddressFamilies"]
    assert {"AF_UNIX", "AF_NETLINK"} == set(families.split())
    assert unit("jrc.service")["Unit", "Requires"] == ["jrc.socket"]
    drop_in = unit("ip.conf")
    assert drop_in == {
        ("Service", "RestrictAddressFamilies"): ["AF_INET AF_INET6"],
        ("Service", "IPAddressDeny"): [""],
    }


@pytest.mark.parametrize("section", ["metrics", "page"])
def test_the_other_sockets_listen_where_their_sections_do(section: str) -> None:
    """The section without a line of its own, the commented one, and the unit go together."""
    (listening,) = unit(f"jrc-{section}.socket")["Socket", "ListenStream"]
    assert str(getattr(config.parse(f"[{section}]"), section).listen) == listening
    assert f'#listen = "{listening}"' in config.example()


def test_the_socket_of_the_api_listens_where_its_section_does() -> None:
    """Which can't be left empty: it names a certificate."""
    (listening,) = unit("jrc-api.socket")["Socket", "ListenStream"]
    section = config.parse('[api]\ncertificate = "a"\nprivate_key = "b"').api
    assert section is not None
    assert str(section.listen) == listening
    assert f'#listen = "{listening}"' in config.example()


def test_the_watchdog_ends_a_daemon_that_hangs_and_it_is_started_again() -> None:
    """Restart=on-failure counts a watchdog's end as a failure (systemd.service(5))."""
    for name in ("jrc.service", "jrc-proxy.service"):
        service = unit(name)
        assert service["Service", "WatchdogSec"] == ["60"]
        assert service["Service", "Restart"] == ["on-failure"]
        assert service["Service", "NotifyAccess"] == ["main"]


def test_a_service_that_fails_is_tried_again_and_not_for_ever() -> None:
    """Ten times in five minutes: a host that is not ready yet has its time (systemd.unit(5))."""
    for name in ("jrc.service", "jrc-proxy.service"):
        found = unit(name)
        assert found["Unit", "StartLimitBurst"] == ["10"]
        assert found["Unit", "StartLimitIntervalSec"] == ["300"]
        assert found["Service", "RestartSec"] == ["2"]


def test_the_folder_of_the_config_file_is_for_root_and_the_group() -> None:
    """The file may name a PostgreSQL server with its password (docs/postgresql.md)."""
    lines = (CHECKOUT / "deploy/systemd/jrc.tmpfiles").read_text().splitlines()
    assert [
        "d /etc/jrc 0750 root jrc",
        "d /etc/credstore.encrypted 0700 root root",
    ] == [line for line in lines if not line.startswith("#")]


def test_the_config_file_that_is_installed_is_for_root_and_the_group(tmp_path: Path) -> None:
    """The same, by what install.sh does with the example."""
    text = (UNITS / "install.sh").read_text()
    begin = text.index("init_with_credential() {")
    function = text[begin : text.index("\n}\n", begin) + 3]
    for name in ("jrc-offline", "chgrp"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    made = tmp_path / "config.toml"
    script = f"umask 022; top={CHECKOUT} config={made}\n{function}\ninit_with_credential"
    done = subprocess.run(
        ["sh", "-euc", script],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert 0o640 == made.stat().st_mode & 0o777
    assert f"chgrp jrc {made}.new\n" == done.stdout
    assert 'credential = "jrc-kek"' in made.read_text()


def test_the_key_is_a_credential_under_the_name_that_documents_have() -> None:
    """One that is not there is no error where it is named without a path (systemd.exec(5))."""
    assert unit("jrc.service")["Service", "LoadCredentialEncrypted"] == ["jrc-kek"]
    assert '#credential = "jrc-kek"' in config.example()


def test_the_backup_needs_neither_network_nor_the_database() -> None:
    """It asks the daemon, and writes into a folder of its own."""
    service = unit("jrc-backup.service")
    (command,) = service["Service", "ExecStart"]
    words = shlex.split(command)
    assert ["jrc", "--config", "/etc/jrc/config.toml", "backup", "create"] == words[:5]
    assert Path(words[5]) == Path("/var/lib") / service["Service", "StateDirectory"][0]
    assert service["Service", "PrivateNetwork"] == ["yes"]
    assert service["Unit", "Requisite"] == ["jrc.service"]
    assert ["--keep", "14"] == words[6:8], "a fortnight"


def test_a_backup_that_was_missed_is_made_at_the_next_start() -> None:
    """The timer remembers when the last one was (systemd.timer(5))."""
    timer = unit("jrc-backup.timer")
    assert timer["Timer", "Persistent"] == ["yes"]
    assert timer["Timer", "OnCalendar"] == ["daily"]
    assert timer["Install", "WantedBy"] == ["timers.target"]


def test_a_backup_that_fails_is_told_to_the_registrar() -> None:
    """By a unit with the same rights, as the same user; `jrc backup failed` is all that it does."""
    backup, told = unit("jrc-backup.service"), unit("jrc-backup-failed.service")
    assert backup["Unit", "OnFailure"] == ["jrc-backup-failed.service"]
    for key in ("Requisite", "After"):
        assert told["Unit", key] == backup["Unit", key] == ["jrc.service"]
    (command,) = told["Service", "ExecStart"]
    words = shlex.split(command)
    assert ["jrc", "--config", "/etc/jrc/config.toml", "backup", "failed", "--reason"] == words[:6]
    own = {"ExecStart", "StateDirectory", "StateDirectoryMode", "Nice"}
    for (section, key), values in backup.items():
        if section == "Service" and key not in own:
            assert told[section, key] == values


def test_the_proxys_service_has_no_more_rights_than_the_registrars() -> None:
    """It runs `jrc proxy`, needs no admin socket, and is confined alike."""
    proxy, registrar = unit("jrc-proxy.service"), unit("jrc.service")
    (command,) = proxy["Service", "ExecStart"]
    assert ["--config", "/etc/jrc/proxy.toml", "proxy"] == shlex.split(command)[1:]
    own = {"ExecStart", "StateDirectory", "PrivateUsers", "User", "RestrictAddressFamilies"}
    own |= {"LoadCredentialEncrypted", "InaccessiblePaths", "IPAddressAllow"}
    limits = {"MemoryMax", "TasksMax", "LimitNOFILE"}
    for (section, key), values in proxy.items():
        if section == "Service" and key not in own | limits:
            assert values == registrar[section, key], key
    assert proxy["Service", "IPAddressAllow"] == ["::/0 localhost"]
    left_out = {key for section, key in registrar if (section, key) not in proxy}
    runtime = {"RuntimeDirectory", "RuntimeDirectoryMode"}
    assert runtime | {"ExecReload", "Requires", "Also", "TimeoutStartSec"} == left_out
    assert proxy["Service", "InaccessiblePaths"] == ["-/run/jrc"]


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


def test_the_helper_of_a_radio_has_one_capability_and_no_socket_to_the_network() -> None:
    """Link-layer keys are set with CAP_NET_ADMIN over netlink; all else is as in the service."""
    helper, registrar = unit("jrc-wpan@.service"), unit("jrc.service")
    for key in ("CapabilityBoundingSet", "AmbientCapabilities"):
        assert helper["Service", key] == ["CAP_NET_ADMIN"]
    assert helper["Service", "ExecStart"] == ["jrc wpan %i"]
    assert helper["Service", "User"] != registrar["Service", "User"]
    own = {"ExecStart", "User", "CapabilityBoundingSet", "AmbientCapabilities", "IPAddressDeny"}
    own |= {"TimeoutStopSec", "LimitNOFILE", "TasksMax"}
    for (section, key), values in helper.items():
        if section == "Service" and key not in own:
            assert values == registrar[section, key], key
    assert ("Service", "PrivateNetwork") not in helper
    assert ("Service", "PrivateUsers") not in helper


def test_the_helper_listens_where_the_config_file_looks_for_it() -> None:
    """Whoever is in the group may connect; whom it hears, it decides by itself."""
    listening = unit("jrc-wpan@.socket")
    (path,) = listening["Socket", "ListenStream"]
    assert f'#helper = "{path.replace("%i", "wpan0")}"' in config.example()
    assert (["jrc"], ["0660"]) == (
        listening["Socket", "SocketGroup"],
        listening["Socket", "SocketMode"],
    )
    assert ("Socket", "Accept") not in listening
    assert REGISTRARS_USER == unit("jrc.service")["Service", "User"][0]


def test_the_socket_unit_listens_where_the_default_config_does() -> None:
    """Taking the socket unit changes no address."""
    (listening,) = unit("jrc.socket")["Socket", "ListenDatagram"]
    assert (config.endpoint(listening),) == config.parse("").coap.listen


def test_the_socket_unit_has_room_for_a_network_that_is_switched_on() -> None:
    """While the daemon starts nobody reads. It takes no IPv4: none of its addresses is."""
    socket = unit("jrc.socket")
    assert ["8M"] == socket["Socket", "ReceiveBuffer"]
    assert ["ipv6-only"] == socket["Socket", "BindIPv6Only"]


def test_each_block_of_the_page_on_systemd_is_pasted_by_a_test() -> None:
    """Into a host that systemd has booted (`Router.paste`), so that no command there rots."""
    page = (CHECKOUT / "docs/systemd.md").read_text(encoding="utf-8")
    headings = [line for line in page.splitlines() if line.startswith("##")]
    chapters = [below("docs/systemd.md", heading) for heading in headings]
    written = {
        (heading, number)
        for heading, blocks in zip(headings, chapters, strict=True)
        for number in range(1, len(blocks) + 1)
    }
    assert set() == LEFT_OUT.keys() - {
        text for each in chapters for block in each for text in block
    }
    assert written == {
        (call.args[0].value, call.args[1].value)
        for file in (CHECKOUT / "tests/systemd").glob("*.py")
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "paste"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[1], ast.Constant)
    }


ANALYZE = shutil.which("systemd-analyze")
UNITS = CHECKOUT / "deploy/systemd"
KINDS = ("*.service", "*.socket", "*.timer")
needs_analyze = pytest.mark.skipif(ANALYZE is None, reason="there is no systemd-analyze here")


def analyzed(*arguments: str) -> subprocess.CompletedProcess[str]:
    """What `systemd-analyze` says."""
    return subprocess.run(
        [str(ANALYZE), *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@needs_analyze
@pytest.mark.parametrize("drop_in", [None, "ip.conf", "serial-radio.conf"])
def test_systemd_finds_no_fault_in_the_units(tmp_path: Path, drop_in: str | None) -> None:
    """It prints nothing, with each drop-in as well; the program need not be installed."""
    for unit_file in (file for kind in KINDS for file in UNITS.glob(kind)):
        text = unit_file.read_text().replace("ExecStart=jrc ", "ExecStart=/bin/true ")
        (tmp_path / unit_file.name).write_text(text)
    if drop_in is not None:
        folder = tmp_path / "jrc.service.d"
        folder.mkdir()
        shutil.copy(UNITS / drop_in, folder)
    names = sorted(str(file) for kind in KINDS for file in tmp_path.glob(kind))
    assert 11 == len(names)
    done = analyzed("verify", *names)
    assert ("", "", 0) == (done.stdout, done.stderr, done.returncode)


DROP_INS = ("ip.conf", "notify-reload.conf", "serial-radio.conf")
"""Of jrc.service, all that are shipped."""
COUNTS_NOTHING = "notify-reload.conf"
_NAMES = re.compile(r"`(jrc[^`]*\.service|[^`/]+\.conf)`")


def figures_told() -> dict[tuple[str, ...], float]:
    """What docs/systemd.md says that `systemd-analyze security` counts: a unit with drop-ins."""
    found: dict[tuple[str, ...], float] = {}
    for line in (CHECKOUT / "docs/systemd.md").read_text().splitlines():
        if row := re.match(r"\| (`jrc[^|]*) \| (\d\.\d) \|", line):
            first, *others = _NAMES.findall(row[1])
            alone = [name for name in (first, *others) if name.endswith(".service")]
            drop_ins = [name for name in others if name.endswith(".conf")]
            assert len(alone) == 1 or not drop_ins
            found |= {(name, *drop_ins): float(row[2]) for name in alone}
    return found


def test_what_each_combination_may_do_is_told() -> None:
    """Each service alone, and the daemon with each choice of drop-ins that count."""
    assert set(DROP_INS) == {file.name for file in UNITS.glob("*.conf")}
    counting = [name for name in DROP_INS if name != COUNTS_NOTHING]
    chosen = [each for n in (1, 2) for each in itertools.combinations(counting, n)]
    alone = {(file.name,) for file in UNITS.glob("*.service")}
    assert alone | {("jrc.service", *each) for each in chosen} == set(figures_told())


@needs_analyze
@pytest.mark.parametrize("combination", [*figures_told(), ("jrc.service", COUNTS_NOTHING)])
def test_systemd_counts_what_each_may_do_as_it_is_told(
    tmp_path: Path, combination: tuple[str, ...]
) -> None:
    """`systemd-analyze security --offline=true`; 1.0 of 10 for the process that has the keys."""
    name, *drop_ins = combination
    shutil.copy(UNITS / name, tmp_path)
    folder = tmp_path / f"{name}.d"
    folder.mkdir()
    for each in drop_ins:
        shutil.copy(UNITS / each, folder)
    done = analyzed("security", "--offline=true", "--no-pager", str(tmp_path / name))
    (figure,) = re.findall(r"Overall exposure level for .*: (\d+\.\d) ", done.stdout)
    told = tuple(each for each in combination if each != COUNTS_NOTHING)
    assert figures_told()[told] == float(figure), done.stdout
    assert drop_ins or name == "jrc-wpan@.service" or float(figure) <= 1.0


@pytest.mark.parametrize("name", ["install.sh", "jrc-offline"])
def test_the_scripts_are_what_any_shell_reads(name: str) -> None:
    """Small hosts have no bash."""
    script = UNITS / name
    assert script.read_text().startswith("#!/bin/sh\n")
    assert script.stat().st_mode & 0o111
    done = subprocess.run(["sh", "-n", str(script)], capture_output=True, text=True, check=False)
    assert ("", 0) == (done.stderr, done.returncode)


def test_the_install_script_brings_every_unit() -> None:
    """And names no file that is not there."""
    text = (UNITS / "install.sh").read_text()
    for name in ("jrc.sysusers", "jrc.tmpfiles", "jrc-offline", "notify-reload.conf"):
        assert name in text
        assert (UNITS / name).is_file()
    shipped = {file.name for kind in KINDS for file in UNITS.glob(kind)}
    assert all(name.startswith("jrc") for name in shipped)


def test_the_image_runs_as_nobody_important_and_installs_what_is_pinned() -> None:
    """The last USER is no root, and nothing is installed without hash or from elsewhere."""
    lines = (CHECKOUT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users == ["10001:10001"]
    installs = [part for line in lines for part in line.split("&&") if "pip install" in part]
    assert installs
    for part in installs:
        assert "--no-deps" in part
        assert "--require-hashes" in part or "--no-index" in part


def test_every_dependency_is_pinned_by_hash() -> None:
    """What pyproject.toml asks for is in both lock files, and no line there is without a hash."""
    wanted = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    for name in ("run.txt", "image.txt", "dev.txt"):
        text = (CHECKOUT / "requirements" / name).read_text()
        pinned = [line for line in text.splitlines() if line and line[0] not in " #"]
        assert [line for line in pinned if "==" not in line or not line.endswith("\\")] == []
        assert {w.partition(">")[0] for w in wanted} <= {line.partition("==")[0] for line in pinned}


@pytest.mark.parametrize("path", sorted((CHECKOUT / "requirements").glob("*.txt")))
def test_no_lock_file_names_an_index(path: Path) -> None:
    """Where packages come from is the operator's choice, and none of ours."""
    text = path.read_text()
    assert [word for word in ("://", "--index-url", "--find-links") if word in text] == []


def test_the_image_has_the_versions_that_are_tested() -> None:
    """What it installs is what `make test` has: dependencies, and PostgreSQL's driver."""
    run, image, dev = (_pinned(name) for name in ("run.txt", "image.txt", "dev.txt"))
    assert {"psycopg", "psycopg-binary"} == image.keys() - run.keys()
    assert run.items() <= image.items()
    assert image.items() <= dev.items()


def _pinned(name: str) -> dict[str, str]:
    text = (CHECKOUT / "requirements" / name).read_text()
    pins = (line.split()[0] for line in text.splitlines() if line and line[0] not in " #")
    return dict(pin.split("==") for pin in pins)
