"""How the commands of each document are tried: what is there before, and what each of them does.

A command that is not named here is pasted into a shell and has to end with exit code 0.
"""

import shutil
from collections.abc import Mapping

from jrc.cojp.credential import edn
from tests.cli.terminal import free_port
from tests.documents.blocks import blocks
from tests.documents.how import (
    COAP,
    HERE,
    PORT,
    Ends,
    How,
    Parsed,
    Scene,
    Shows,
    Stays,
    Types,
)
from tests.documents.sandbox import OTHER, PLEDGE, QUICK
from tests.forked import CHECKOUT
from tests.identities import claims

READY = '"ready"'
PRINTED_BY_ANOTHER = edn(claims(1))
_OWN_PORT = f"sed -i 's/\\[::\\]:5683/[::1]:{free_port()}/' registrar/config.toml"
_PAGE = r"""printf '\n[page]\nlisten = "127.0.0.1:9632"\n' >> registrar/config.toml"""
_NODES = r"""printf '\n[lab]\nnodes = "[::1]:5690"\n' >> registrar/config.toml"""
UNTIL_IT_WAITS = (
    f"(umask 077; grep -e pledge_id -e {PLEDGE} devices.csv > one.csv);"
    " jrc lab join one.csv --network-id cafe --once >/dev/null 2>&1 &"
    f" until jrc pledge list --state waiting | grep -q {PLEDGE}; do sleep 0.5; done; kill $!"
)
_AT_HOME = f"localhost:{PORT}"
_RADIO = next(
    block.text for block in blocks() if block[::2] == ("docs/border-router.md", "toml")
).replace("/usr/local/bin/serial-radio", "/bin/true")
_API = f"""[api]
listen = "127.0.0.1:{PORT}"
certificate = "{HERE}/fullchain.pem"
private_key = "{HERE}/privkey.pem"
"""
_MOVED = Parsed("tests/daemon/test_backup.py moves a registrar; scrypt takes its time")
_BOOTED = Parsed("tests/systemd pastes the whole page into a host that systemd has booted")
CONSOLES = CHECKOUT / "tests" / "provision" / "consoles"
NEW_BOARD = "0200000000000077"
"""That the registrar does not know: it gets a key without --renew."""
_UNKNOWN_BOARD = (
    f"jrc pledge remove {PLEDGE} --yes",
    "until test -e ttyDEVICE; do sleep 0.1; done",
)
SERIAL = CHECKOUT / "deploy" / "examples" / "serial"
NO_COMPILER = Parsed("there is no C compiler")
HAS_COMPILER = shutil.which("cc") is not None
_WITH_A_BOARD: How = Ends() if HAS_COMPILER else NO_COMPILER
_TWICE, _ONCE = ("secret\n", "secret\n"), ("secret\n",)
_GENERATE = (
    f"jrc pledge generate --id {PLEDGE} --derived --format FORM --out FILE"
    " --import-file pledges.csv"
)
_OTHER_FORMS = {"cmake": "credential.cmake", "rust": "rust/credential.rs"}
_PROXY = (
    r"""printf '[proxy]\ninterface = "lowpan0"\njrc = "[2001:db8::1]:5683"\n'"""
    " > /etc/jrc/proxy.toml"
)


def _named(options: str) -> Ends:
    """Benchmarks take minutes: their options are read, and the help is printed."""
    return Ends(put={"ARGS=": "ARGS='", options: f"{options} --help'", '"': ""})


SCENES: Mapping[str, Scene] = {
    "README.md": Scene(
        is_bare=True,
        has_checkout=True,
        lines={
            "make test": Ends(put={"make": "make -n"}),
            "make run": Ends(put={"make run": "make run ARGS='--once --pledges 2'"}),
            "jrc --config registrar/config.toml run": Stays(READY),
        },
        before={"jrc --config registrar/config.toml run": (_OWN_PORT,)},
    ),
    "docs/tutorial.md": Scene(
        is_bare=True,
        has_checkout=True,
        lines={
            _NODES: Ends(put={"5690": PORT}),
            _PAGE: Ends(put={"9632": "0"}),
            "jrc run": Stays(READY),
            "jrc lab join router.csv lamps.csv --network-id cafe": Stays("they stay"),
        },
        before={"jrc run": (_OWN_PORT, f"printf '%s\\n' '{QUICK}' >> registrar/config.toml")},
    ),
    "docs/admission.md": Scene(
        has_daemon=True,
        before={
            f'jrc pledge approve {PLEDGE} --reason "room 12"': (UNTIL_IT_WAITS,),
        },
    ),
    "docs/alerts.md": Scene(
        has_checkout=True,
        has_lab=False,
        before={
            "cp -r deploy/prometheus/* /etc/prometheus/": ("mkdir -p /etc/prometheus",),
            "cp -r deploy/grafana/provisioning/* /etc/grafana/provisioning/": (
                "mkdir -p /etc/grafana/provisioning /var/lib/grafana",
            ),
        },
    ),
    "docs/api.md": Scene(
        has_daemon=True,
        has_nodes=True,
        config=_API,
        put={
            "router.example.org:9633": _AT_HOME,
            "https://router.example.org": f"https://{_AT_HOME}",
        }
        | {"router.example.org": "localhost"},
        lines={
            # The registrar has a certificate by then, and would take a new one some time.
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 365"
            " -subj /CN=router.example.org -addext subjectAltName=DNS:router.example.org"
            " -keyout privkey.pem -out fullchain.pem": Ends(
                put={"privkey.pem": "other.key", "fullchain.pem": "other.pem"}
            ),
            "jrc --url https://router.example.org:9633 --ca fullchain.pem --token-file token"
            " rollover watch lab": Shows("lab: "),
        },
        before={
            "curl --unix-socket /run/jrc/admin.sock http://jrc/v1/status": (
                'ln -s "$PWD/registrar/admin.sock" /run/jrc/admin.sock',
            ),
            "export JRC_URL=https://router.example.org JRC_TOKEN_FILE=~/.jrc-token": (
                "jrc token add another --scope admin --out ~/.jrc-token",
                "cp ~/.jrc-token token",
                'echo "Authorization: Bearer $(cat token)" > header',
                "chmod 600 header",
                "export SSL_CERT_FILE=$PWD/fullchain.pem",
            ),
            "jrc --url https://router.example.org:9633 --ca fullchain.pem --token-file token"
            " rollover watch lab": ("jrc rollover start lab --yes", "unset SSL_CERT_FILE"),
            "jrc --url https://router.example.org pledge import keys.csv --rows 200"
            ' --reason "batch $CI_JOB_ID" --report report.csv': (
                "export SSL_CERT_FILE=$PWD/fullchain.pem",
                "jrc pledge generate --count 200 --format csv --out keys.csv",
            ),
        },
    ),
    "docs/audit-log.md": Scene(
        has_daemon=True,
        lines={"jrc events --follow --network lab": Shows("network.added")},
    ),
    "docs/container.md": Scene(
        has_checkout=True,
        lines={
            "ssh -N -L 9632:/var/lib/docker/volumes/jrc_state/_data/admin.sock root@SERVER": Parsed(
                "tests/container asks the socket in the volume"
            ),
        },
    ),
    "docs/back-channel.md": Scene(
        has_checkout=True,
        lines={
            "jrc provision watch ttyDEVICE --send-keys --network lab --count 1"
            ' --reason "batch 7"': _WITH_A_BOARD,
            "jrc provision watch '/dev/ttyUSB*' --send-keys --network lab --role 6ln --count 200"
            ' --reason "batch 7"': (
                Ends(put={"/dev/": "", "--count 200": "--count 1"}) if HAS_COMPILER else NO_COMPILER
            ),
        },
        before={
            "jrc provision watch ttyDEVICE --send-keys --network lab --count 1"
            ' --reason "batch 7"': _UNKNOWN_BOARD,
            "jrc provision watch '/dev/ttyUSB*' --send-keys --network lab --role 6ln --count 200"
            ' --reason "batch 7"': (
                f"./device {NEW_BOARD} flash-0.bin ttyUSB0 &",
                "until test -e ttyUSB0; do sleep 0.1; done",
            ),
        },
    ),
    "docs/backup.md": Scene(
        put={"' FILE": "' /mnt/stick/jrc.backup"},
        lines={
            "jrc backup create /mnt/stick/jrc.backup": Types(_TWICE),
            "jrc backup verify /mnt/stick/jrc.backup": Types(_ONCE),
            "jrc backup restore /mnt/stick/jrc.backup --dry-run": Types(_ONCE),
            'jrc backup create move.backup --final --reason "new border router"': Types(
                (*_TWICE, "y\n")
            ),
            "jrc backup restore move.backup": Types(_ONCE),
        },
        before={
            "jrc backup restore move.backup": (
                "mkdir old",
                "mv registrar/jrc.db* registrar/jrc.instance old/",
            ),
        },
    ),
    "docs/border-router.md": Scene(
        has_daemon=True,
        has_lab=False,
        config=_RADIO,
        lines={
            "jrc keys add recovery paper": Types(("y\n",)),
            f"jrc pledge add {PLEDGE} --psk-file FILE --network lab": Ends(put={"FILE": "key.hex"}),
            "jrc events --follow --network lab": Shows("installer.installed"),
        },
    ),
    "docs/consoles.md": Scene(
        has_daemon=True,
        config=_API,
        put={"router.example.org:9633": _AT_HOME},
        lines={
            "jrc provision watch '/dev/ttyACM*' --reason \"batch 7\"": Shows(
                "stored", put={"/dev/": ""}
            ),
            "jrc --url https://router.example.org:9633 --ca fullchain.pem --token-file token"
            " provision watch '/dev/ttyACM*' --count 25": Ends(
                put={"/dev/": "", "--count 25": "--count 1"}
            ),
        },
        before={
            "jrc provision watch '/dev/ttyACM*' --reason \"batch 7\"": (
                f"cp {CONSOLES}/ariel-os.log ttyACM0",
            ),
            "jrc provision watch board-1.log board-2.log=fixture-2 --once": (
                f"cp {CONSOLES}/ariel-os.log board-1.log",
                f"cp {CONSOLES}/riot.log board-2.log",
            ),
            r"jrc provision watch runner.log --once --split '^\[(?P<source>[\w-]+)\] '": (
                f"cp {CONSOLES}/two-boards.log runner.log",
            ),
            "jrc --url https://router.example.org:9633 --ca fullchain.pem --token-file token"
            " provision watch '/dev/ttyACM*' --count 25": (
                "jrc token add bench --scope import --out token",
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
            "sudo jrc doctor": Ends(5),
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
            "jrc --config /etc/jrc/proxy.toml check-config": Ends(),
            "jrc --config /etc/jrc/proxy.toml proxy": Shows("proxy_waits"),
        },
        before={"jrc --config /etc/jrc/proxy.toml check-config": (_PROXY,)},
    ),
    "docs/keys.md": Scene(
        lines={
            "jrc keys add recovery paper": Types(("y\n",)),
        },
        before={
            "jrc keys add recovery paper": ("jrc keys remove paper --yes",),
            "jrc keys restore --identity-file FILE": (
                "jrc keys add recovery first --out ./FILE",
                "rm registrar/kek",
            ),
            "jrc keys restore --identity-file /media/usb/jrc-recovery": ("rm registrar/kek",),
        },
    ),
    "docs/networking.md": Scene(
        has_daemon=True,
        has_nodes=True,
        lines={
            "jrc network add mesh --network-id cafe --prefix-from lowpan0"
            " --jrc-address-from lowpan0": Ends(6, put={"cafe": "d00d"}),
        },
        before={
            "jrc network set mesh --prefix-from lowpan0": (
                "jrc network add mesh --network-id d00d --prefix 2001:db8:0:8::/64",
            ),
        },
    ),
    "docs/openwsn.md": Scene(has_lab=False),
    "docs/page.md": Scene(has_daemon=True, config=f'[page]\nlisten = "127.0.0.1:{PORT}"\n'),
    "docs/performance.md": Scene(
        has_checkout=True,
        lines={
            "make bench": Ends(put={"bench": "bench ARGS=--help"}),
            "make bench ARGS=--quick": _named("--quick"),
            'make bench ARGS="--only rejoin"': _named("--only rejoin"),
            'make bench ARGS="--dir /var/tmp/b"': _named("--dir /var/tmp/b"),
        },
    ),
    "docs/postgresql.md": Scene(
        has_checkout=True,
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
            "jrc pledge generate --keep pledges.csv --state state.json --format c --out key.h"
            " --import-file kept.csv": ("rm key.h",),
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
                "nodes that answer leave nothing to go on without; tests/cli/test_rollover.py"
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
        has_checkout=True,
        has_daemon=True,
        has_lab=False,
        lines={
            "jrc keys add recovery paper": Types(("y\n",)),
            f"jrc pledge add {PLEDGE} --psk-file FILE": Ends(put={"FILE": "key.hex"}),
            "jrc backup create before.backup": Types(("secret\n", "secret\n")),
            'jrc backup create move.backup --final --reason "new border router"': _BOOTED,
            'jrc keys rotate --file /run/jrc-kek --reason "a disk was sold"': _BOOTED,
            "(umask 077; systemd-creds decrypt --name=jrc-kek"
            " /etc/credstore.encrypted/jrc-kek /run/jrc-kek)": _BOOTED,
            "sed -i 's|^credential = .*|kek_file = \"/run/jrc-kek\"|'"
            " /etc/jrc/config.toml": _BOOTED,
            "sed -i 's|^kek_file = .*|credential = \"jrc-kek\"|' /etc/jrc/config.toml": _BOOTED,
        },
    ),
    "docs/updates.md": Scene(has_daemon=True, has_nodes=True),
    "deploy/examples/serial/README.md": Scene(
        has_checkout=True,
        at="deploy/examples/serial",
        lines={"jrc provision watch ttyDEVICE --send-keys --count 1": _WITH_A_BOARD},
        before={"jrc provision watch ttyDEVICE --send-keys --count 1": _UNKNOWN_BOARD},
    ),
    "deploy/examples/README.md": Scene(
        has_checkout=True,
        at="deploy/examples",
        has_daemon=True,
        put={"5683": COAP},
        lines={_GENERATE: Ends(put={"FORM": "c", "FILE": "c/credential.h"})},
        before={
            _GENERATE: (
                f"jrc pledge remove {PLEDGE} --yes",
                *(
                    _GENERATE.replace("FORM", form)
                    .replace("FILE", file)
                    .replace("pledges.csv", f"{form}.csv")
                    for form, file in _OTHER_FORMS.items()
                ),
            ),
        },
    ),
}
