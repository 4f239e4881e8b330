"""How the commands of each document are tried: what is there before, and what each of them does.

A command that is not named here is pasted into a shell and has to end with exit code 0.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jrc.cojp.credential import edn
from tests.cli.terminal import free_port
from tests.documents.sandbox import OTHER, PLEDGE, QUICK
from tests.forked import CHECKOUT
from tests.identities import claims


@dataclass(frozen=True, slots=True)
class Ends:
    """It ends with this exit code; ``put`` has what stands for the placeholders in it."""

    code: int = 0
    put: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Types:
    """It asks on a terminal, and gets these lines in turn."""

    answers: Sequence[str] = ()
    code: int = 0


@dataclass(frozen=True, slots=True)
class Shows:
    """It goes on until Ctrl-C; it is given it when it has shown this."""

    text: str


@dataclass(frozen=True, slots=True)
class Stays:
    """It goes on in a terminal of its own until the document ends, and shows this."""

    text: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """Its words are looked at, and it is not carried out, for this reason."""

    why: str


How = Ends | Types | Shows | Stays | Parsed


@dataclass(frozen=True, slots=True)
class Scene:
    """What a document's commands find; ``lines`` says how those are tried that differ.

    ``is_bare``: an empty folder. ``has_daemon``: the registrar runs. ``has_nodes``: the pledges are
    nodes that live on. ``before`` a command others are given, which may fail. ``config`` is added
    to that of the registrar.
    """

    lines: Mapping[str, How] = field(default_factory=dict)
    before: Mapping[str, Sequence[str]] = field(default_factory=dict)
    is_bare: bool = False
    has_lab: bool = True
    has_daemon: bool = False
    has_nodes: bool = False
    config: str = ""


READY = '"ready"'
ELSEWHERE = {
    "systemctl": "needs systemd, which tests/systemd boots",
    "journalctl": "needs systemd",
    "systemd-creds": "needs systemd",
    "systemd-analyze": "needs systemd",
    "pip": "would change the environment that tests run in",
    "/usr/local/lib/jrc/bin/python": "is what the install script makes",
    "git": "would fetch a checkout",
    "make": "Makefile's targets are CI's own steps",
    "cc": "tests/daemon/test_examples.py compiles and runs it",
    "cmake": "tests/daemon/test_examples.py compiles and runs it",
    "laze": "builds Ariel OS",
    "cargo": "tests/daemon/test_examples.py compiles it",
    "./device": "docs/back-channel.md tries it with what it is for",
    "./join": "tests/daemon/test_examples.py compiles and runs it",
    "openssl": "is no part of this",
    "createuser": "needs a PostgreSQL server",
    "createdb": "needs a PostgreSQL server",
    "docker": "needs a container engine; what it has `jrc` do is parsed",
    "deploy/systemd/install.sh": "changes the host; tests/systemd boots a systemd with it",
    "jrc-offline": "needs systemd",
    "podman": "needs a container engine",
    "sysctl": "changes the host",
    "apt-get": "changes the host",
    "adduser": "changes the host",
    "useradd": "changes the host",
    "install": "changes the host",
    "aiocoap-client": "tests/provision/test_public_keys.py has its reader, and its EDHOC",
    "curl": "asks a port that the test of that page asks",
    "rm": "removes what an install has put there, as tests/systemd does",
    "find": "removes what an install has put there, as tests/systemd does",
    "groupdel": "changes the host",
    "mv": "moves what a container has made",
    "rsync": "copies a folder that systemd makes",
    "chown": "changes the host",
    "cd": "each command is tried by itself",
    "export": "each command is tried by itself",
    ".": "each command is tried by itself",
}
"""Programs of others: why what begins with one is not tried here."""

PRINTED_BY_ANOTHER = edn(claims(1))
PORT = "@port@"
"""In ``Ends.put`` and ``Scene.config``: one that is free."""
_OWN_PORT = f"sed -i 's/\\[::\\]:5683/[::1]:{free_port()}/' registrar/config.toml"
_NODES = r"""printf '\n[lab]\nnodes = "[::1]:5690"\n' >> registrar/config.toml"""
_UNTIL_IT_WAITS = (
    f"(umask 077; grep -e pledge_id -e {PLEDGE} devices.csv > one.csv);"
    " jrc lab join one.csv --network-id cafe --once >/dev/null 2>&1 &"
    f" until jrc pledge list --state waiting | grep -q {PLEDGE}; do sleep 0.5; done; kill $!"
)
_NO_ROUTER = Parsed("router.example.org is nobody's")
_MOVED = Parsed("tests/daemon/test_backup.py moves a registrar; scrypt takes its time")
_NO_BOARD = Parsed("tests/daemon/test_bench.py has boards")
_CONSOLES = CHECKOUT / "tests" / "provision" / "consoles"
_SERIAL = CHECKOUT / "deploy" / "examples" / "serial"
_NEW_BOARD = "0200000000000077"
"""That the registrar does not know: it gets a key without --renew."""
_BOARD_ON_A_PORT = (
    f"cc -o device {_SERIAL}/*.c",
    f"timeout 60 ./device {_NEW_BOARD} flash.bin ttyDEVICE >/dev/null 2>&1 &",
    "until test -e ttyDEVICE; do sleep 0.1; done",
)
_WITH_A_BOARD: How = Ends() if shutil.which("cc") else Parsed("there is no C compiler")
_NO_RADIO = Parsed("there is no interface lowpan0")

SCENES: Mapping[str, Scene] = {
    "README.md": Scene(
        is_bare=True,
        lines={"jrc --config registrar/config.toml run": Stays(READY)},
        before={"jrc --config registrar/config.toml run": (_OWN_PORT,)},
    ),
    "docs/tutorial.md": Scene(
        is_bare=True,
        lines={
            _NODES: Ends(put={"5690": PORT}),
            "jrc run": Stays(READY),
            "jrc lab join router.csv lamps.csv --network-id cafe": Stays("they stay"),
        },
        before={"jrc run": (_OWN_PORT, f"printf '%s\\n' '{QUICK}' >> registrar/config.toml")},
    ),
    "docs/admission.md": Scene(
        has_daemon=True,
        before={
            f'jrc pledge approve {PLEDGE} --reason "room 12"': (_UNTIL_IT_WAITS,),
        },
    ),
    "docs/api.md": Scene(
        lines={
            "jrc --url https://router.example.org:9633 --ca fullchain.pem --token-file token"
            " rollover watch lab": _NO_ROUTER,
            "jrc --url https://router.example.org pledge import keys.csv --rows 200"
            ' --reason "batch $CI_JOB_ID" --report report.csv': _NO_ROUTER,
        },
    ),
    "docs/audit-log.md": Scene(
        has_daemon=True,
        lines={"jrc events --follow --network lab": Shows("network.added")},
    ),
    "docs/back-channel.md": Scene(
        lines={
            "jrc provision watch ttyDEVICE --send-keys --network lab --count 1"
            ' --reason "batch 7"': _WITH_A_BOARD,
            "jrc provision watch '/dev/ttyUSB*' --send-keys --network lab --role 6ln --count 200"
            ' --reason "batch 7"': _NO_BOARD,
        },
        before={
            "jrc provision watch ttyDEVICE --send-keys --network lab --count 1"
            ' --reason "batch 7"': _BOARD_ON_A_PORT,
        },
    ),
    "docs/backup.md": Scene(
        lines={
            "jrc backup create /mnt/stick/jrc.backup": Types(("secret\n", "secret\n")),
            "jrc backup verify /mnt/stick/jrc.backup": Types(("secret\n",)),
            "jrc backup restore /mnt/stick/jrc.backup --dry-run": Types(("secret\n",)),
            'jrc backup create move.backup --final --reason "new border router"': _MOVED,
            "jrc backup restore move.backup": _MOVED,
        },
    ),
    "docs/border-router.md": Scene(
        has_daemon=True,
        lines={
            "jrc network install lab": Ends(1),
            'jrc network install lab --restarted --reason "power cut"': Ends(1),
        },
    ),
    "docs/consoles.md": Scene(
        lines={
            "jrc provision watch '/dev/ttyACM*' --reason \"batch 7\"": _NO_BOARD,
            "jrc --url https://router.example.org:9633 --ca fullchain.pem --token-file token"
            " provision watch '/dev/ttyACM*' --count 25": _NO_ROUTER,
        },
        before={
            "jrc provision watch board-1.log board-2.log=fixture-2 --once": (
                f"cp {_CONSOLES}/ariel-os.log board-1.log",
                f"cp {_CONSOLES}/riot.log board-2.log",
            ),
            r"jrc provision watch runner.log --once --split '^\[(?P<source>[\w-]+)\] '": (
                f"cp {_CONSOLES}/two-boards.log runner.log",
            ),
        },
    ),
    "docs/credentials.md": Scene(
        before={
            "jrc pledge transfer in lamp.json --psk-file key.hex --network home": (
                "jrc network add home --network-id beef --prefix 2001:db8:0:2::/64",
            ),
        },
    ),
    "docs/doctor.md": Scene(
        has_daemon=True,
        lines={
            "sudo jrc doctor": Parsed("what it says hangs on the host; tests/cli/test_doctor.py"),
            "jrc --config ./registrar/config.toml doctor --json --no-join": Ends(5),
        },
    ),
    "docs/explain.md": Scene(has_daemon=True, has_nodes=True),
    "docs/identities.md": Scene(
        before={
            f'jrc identity add {PLEDGE} --file identity.txt --reason "bench 2"': (
                f'printf "%s" "CoAP server identity: {PRINTED_BY_ANOTHER}" > identity.txt',
            ),
        },
    ),
    "docs/join-proxy.md": Scene(
        lines={
            "jrc --config /etc/jrc/proxy.toml check-config": _NO_RADIO,
            "jrc --config /etc/jrc/proxy.toml proxy": _NO_RADIO,
        },
    ),
    "docs/keys.md": Scene(
        lines={
            "jrc keys add recovery paper": Types(("y\n",)),
            "jrc keys restore --identity-file FILE": Parsed("the next one has a file"),
        },
        before={
            "jrc keys add recovery paper": ("jrc keys remove paper --yes",),
            "jrc keys restore --identity-file /media/usb/jrc-recovery": ("rm registrar/kek",),
        },
    ),
    "docs/networking.md": Scene(
        has_daemon=True,
        has_nodes=True,
        lines={
            "jrc network add mesh --network-id cafe --prefix-from lowpan0"
            " --jrc-address-from lowpan0": Parsed("takes an identifier that lab has"),
        },
        before={
            "jrc network set mesh --prefix-from lowpan0": (
                "jrc network add mesh --network-id d00d --prefix 2001:db8:0:8::/64",
            ),
        },
    ),
    "docs/openwsn.md": Scene(has_lab=False),
    "docs/page.md": Scene(has_daemon=True, config=f'[page]\nlisten = "127.0.0.1:{PORT}"\n'),
    "docs/postgresql.md": Scene(
        lines={
            "sudo jrc init --database-url postgresql+psycopg://jrc@db.example.org/jrc": Parsed(
                "db.example.org is nobody's"
            ),
            'jrc backup create /root/to-postgresql.backup --final --reason "PostgreSQL"': _MOVED,
        },
    ),
    "docs/provisioning.md": Scene(
        has_lab=False,
        before={
            "jrc pledge generate --ids ids.txt --format c --out keys/ --import-file pledges.csv"
            " --network lab": (
                "rm pledges.csv",
                "jrc network add lab --network-id cafe --prefix 2001:db8:0:1::/64",
            ),
            f"jrc pledge generate --id {PLEDGE} --format c --out key.h --import-file pledges.csv": (
                "rm pledges.csv",
                f"jrc pledge add {PLEDGE} --psk-file key.hex",
            ),
            f"ssh router jrc pledge show {PLEDGE} --json > state.json": (
                "rm pledges.csv",
                f"jrc pledge generate --id {PLEDGE} --format csv --out pledges.csv",
                "jrc pledge import pledges.csv --on-conflict replace",
            ),
            "jrc pledge generate --keep pledges.csv --state state.json --format c --out key.h": (
                "rm key.h",
            ),
        },
    ),
    "docs/recovery.md": Scene(
        has_daemon=True,
        lines={"jrc recover status": Ends(5)},
        before={
            "jrc pledge list --state revoked --json > revoked.json": (
                f'jrc pledge revoke {OTHER} --reason "was lost" --yes',
            ),
            "jrc recover --dry-run": (
                f'jrc pledge restore {OTHER} --reason "an old copy" --yes',
                'jrc quarantine --reason "an old copy" --yes',
            ),
        },
    ),
    "docs/revocation.md": Scene(has_daemon=True, has_nodes=True),
    "docs/rollover.md": Scene(
        has_daemon=True,
        has_nodes=True,
        lines={
            "jrc rollover start lab --at 2026-11-22T02:00 --quorum 0.95 --deadline 4h --yes": Ends(
                put={"2026": "2036"}
            ),
            "jrc rollover watch lab": Shows("lab: "),
            'jrc rollover resume lab --anyway --reason "the rest is switched off" --wait': Parsed(
                "it would wait for the time of the one above"
            ),
        },
        before={
            'jrc rollover start lab --reason "a tool with keys was lost" --wait --timeout 4h': (
                "jrc rollover watch lab",
            ),
        },
    ),
    "docs/several-networks.md": Scene(
        before={
            'jrc pledge import pledges.csv --reason "floor 2"': (
                "sed -i '1s/$/,network/; 2,$s/$/,floor-2/' pledges.csv",
            ),
        },
    ),
    "docs/systemd.md": Scene(
        has_daemon=True,
        has_lab=False,
        lines={
            "jrc keys add recovery paper": Types(("y\n",)),
            f"jrc pledge add {PLEDGE} --psk-file FILE": Ends(put={"FILE": "key.hex"}),
            "jrc backup create before.backup": Types(("secret\n", "secret\n")),
            'jrc backup create move.backup --final --reason "new border router"': _MOVED,
        },
    ),
    "docs/updates.md": Scene(has_daemon=True, has_nodes=True),
    "deploy/examples/serial/README.md": Scene(
        lines={"jrc provision watch ttyDEVICE --send-keys --count 1": _WITH_A_BOARD},
        before={"jrc provision watch ttyDEVICE --send-keys --count 1": _BOARD_ON_A_PORT},
    ),
    "deploy/examples/README.md": Scene(
        lines={
            f"jrc pledge generate --id {PLEDGE} --derived --format FORM --out FILE"
            " --import-file pledges.csv": Ends(put={"FORM": "rust", "FILE": "key.rs"}),
        },
        before={
            f"jrc pledge generate --id {PLEDGE} --derived --format FORM --out FILE"
            " --import-file pledges.csv": ("rm pledges.csv", f"jrc pledge remove {PLEDGE} --yes"),
        },
    ),
}
OF_HELP = "docs/commands.md"
"""Made from `--help`, whose examples are parsed; other documents are where they are tried."""
