"""What the examples of `--help` find, by command: each command's have a site of their own.

A command that is not named here finds a registrar with a network and three pledges. Examples that a
guide has too are tried there.
"""

from collections.abc import Mapping

import pyrage

from tests.documents.how import HERE, PORT, Ends, Parsed, Scene, Shows, Stays, Types
from tests.documents.sandbox import OTHER, PLEDGE
from tests.documents.scenes import (
    CONSOLES,
    HAS_COMPILER,
    NEW_BOARD,
    NO_COMPILER,
    PRINTED_BY_ANOTHER,
    READY,
    SCENES,
    SERIAL,
    UNTIL_IT_WAITS,
)
from tests.identities import claims

_IDENTITY = pyrage.x25519.Identity.generate()
_KEEP_IDENTITY = f"(umask 077; echo '{_IDENTITY}' > offline.key)"
_TO_IT = f"--recipient {_IDENTITY.to_public()}"
_SEALED = f'[backup]\nrecipients = ["{_IDENTITY.to_public()}"]\n'
_COPIED_CONFIG = "cp registrar/config.toml ."
_PRINTED = f'jrc identity add {PLEDGE} "{PRINTED_BY_ANOTHER}"'
_OUT = f"jrc pledge transfer out {PLEDGE} --dossier lamp.json --yes"
_OPENED = (
    "jrc handover keygen --for registrar --out registrar.key",
    "jrc handover keygen --for builder --out builder.key",
    "jrc handover seal pledges.csv --to registrar.key.pub --key builder.key --out batch7.sealed",
)
_EXPORTED = "jrc events export events.jsonl"
_RUNNING = "jrc rollover start lab --at 2036-11-22T02:00 --yes"
_QUARANTINED = "jrc quarantine --reason test --yes"
_NO_DATABASE = ("mkdir old", "mv registrar/jrc.db* registrar/jrc.instance old/")
_HALL = "jrc network add hall --network-id beef --prefix 2001:db8:0:2::/64"
_ONE_LINE = (
    """printf '{"pledge_id": "%s", "psk": "%s"}' 00124b0014b5b8f1 $(cat key.hex)"""
    " | gzip > pledges.jsonl.gz"
)
_RUNS = Scene(has_daemon=True)
_LIVES = Scene(has_daemon=True, has_nodes=True)

EXAMPLES: Mapping[str, Scene] = {
    "jrc init": Scene(
        lines={
            "sudo jrc init": Parsed("it would make /etc/jrc on this host; tests/systemd has it"),
            "sudo jrc init --database-url postgresql+psycopg://jrc@db.example.org/jrc": Parsed(
                "the same, and it has no PostgreSQL server"
            ),
        },
        before={
            "jrc --config ./config.toml init": (
                "sed 's|/registrar/|/new/|' registrar/config.toml > config.toml",
                "mkdir new",
            ),
        },
    ),
    "jrc run": Scene(
        lines={"jrc --config /etc/jrc/config.toml run": Stays(READY)},
        before={
            "jrc --config /etc/jrc/config.toml run": ("cp registrar/config.toml /etc/jrc/",),
        },
    ),
    "jrc wpan": Scene(lines={"jrc wpan wpan0": Ends(1)}),  # systemd starts it
    "jrc status": _RUNS,
    "jrc page": Scene(has_daemon=True, config=f'[page]\nlisten = "127.0.0.1:{PORT}"\n'),
    "jrc healthcheck": _RUNS,
    "jrc check-config": Scene(
        before={"jrc --config ./config.toml check-config": (_COPIED_CONFIG,)}
    ),
    "jrc doctor": Scene(
        lines={"jrc --config ./config.toml doctor --json --no-join": Ends(5)},
        before={"jrc --config ./config.toml doctor --json --no-join": (_COPIED_CONFIG,)},
    ),
    "jrc completion": Scene(
        before={
            "jrc completion bash > ~/.local/share/bash-completion/completions/jrc": (
                "mkdir -p ~/.local/share/bash-completion/completions",
            ),
        },
    ),
    "jrc network add": Scene(
        lines={
            "jrc network add mesh --network-id d00d --prefix-from lowpan0"
            " --jrc-address-from lowpan0": Ends(6),  # there is no such interface
        },
        before={
            "jrc network add old --network-id abcd --prefix 2001:db8:0:3::/64"
            " --keys-file keys.json": ("jrc network remove motes --yes",),
        },
    ),
    "jrc network install": Scene(
        has_daemon=True,
        config='[[installer]]\nnetwork = "lab"\nkind = "exec"\ncommand = ["/bin/true"]\n',
    ),
    "jrc network remove": Scene(
        before={
            'jrc network remove hall --reason "site closed"': (_HALL,),
        },
    ),
    "jrc pledge import": Scene(
        before={
            'jrc pledge import vendor.csv --map "Device EUI=pledge_id" --map Key=psk'
            ' --map "Serial No="': ("sed -i 's/Install Key/Key/' vendor.csv",),
            "zcat pledges.jsonl.gz | jrc pledge import - --format jsonl": (_ONE_LINE,),
            "ssh router jrc pledge import - --rows 200 < pledges.csv": (
                "rm pledges.csv",
                "jrc pledge generate --count 200 --format csv --out pledges.csv",
            ),
            'jrc pledge import next.csv --pending-firmware --reason "firmware 2.1"': (
                f"jrc pledge generate --id {PLEDGE} --format csv --out next.csv",
            ),
        },
    ),
    "jrc pledge generate": Scene(
        before={
            "jrc pledge generate --count 20 --format csv --out pledges.csv": ("rm pledges.csv",),
            "jrc pledge generate --ids ids.txt --format c --out keys/ --import-file pledges.csv": (
                "rm pledges.csv",
            ),
            f"jrc pledge generate --id {PLEDGE} --derived --format rust --out key.rs"
            " --import-file pledges.csv && ssh router jrc pledge import - < pledges.csv": (
                f"jrc pledge remove {PLEDGE} --yes",
                "rm pledges.csv",
            ),
            "jrc pledge generate --keep pledges.csv --state state.json --format c --out keys/": (
                f"jrc pledge show {PLEDGE} --json > state.json",
            ),
        },
    ),
    "jrc pledge explain": _LIVES,
    "jrc pledge replace": Scene(
        lines={
            f'jrc pledge replace {PLEDGE} 00124b0014b5b690 --revoke --reason "stolen"': Ends(
                put={PLEDGE: OTHER, "b5b690": "b5b691"}
            ),
        },
        before={
            f'jrc pledge replace {PLEDGE} 00124b0014b5b690 --revoke --reason "stolen"': (
                "jrc pledge add 00124b0014b5b691 --psk-file next.hex --network lab",
            ),
        },
    ),
    "jrc pledge withdraw": Scene(
        before={
            f'jrc pledge withdraw {PLEDGE} --reason "firmware 2.1 was not released"': (
                f"jrc pledge add {PLEDGE} --psk-file next.hex --pending-firmware",
            ),
        },
    ),
    "jrc pledge add": Scene(
        before={
            f"jrc pledge add {PLEDGE} --psk-file key.hex --network lab": (
                f"jrc pledge remove {PLEDGE} --yes",
            ),
            'pass show node7 | jrc pledge add 00-12-4b-00-14-b5-b6-7e --psk-file - --label "node'
            ' 7"': (f"jrc pledge remove {PLEDGE} --yes",),
        },
    ),
    "jrc pledge approve": Scene(
        has_daemon=True,
        before={
            f'jrc pledge approve {PLEDGE} --reason "lamp in room 12"': (
                "jrc network set lab --admission approval",
                UNTIL_IT_WAITS,
            ),
        },
    ),
    "jrc pledge transfer in": Scene(
        before={
            "jrc pledge transfer in lamp.json --psk-file key.hex --network lab": (_OUT,),
            f"jrc pledge transfer in {PLEDGE} --psk-file key.hex": (f"rm lamp.json; {_OUT}",),
        },
        lines={
            f"jrc pledge transfer in {PLEDGE} --psk-file key.hex": Ends(put={"key": "next"}),
        },
    ),
    "jrc identity export": Scene(
        has_daemon=True,
        has_nodes=True,
        before={
            "jrc identity export --format peers --scope /sensors=GET --out peers.yml": (_PRINTED,),
        },
    ),
    "jrc identity add": Scene(put={"a108a101a401...": claims(1).hex()}),
    "jrc identity remove": Scene(
        before={
            f'jrc identity remove {PLEDGE} --reason "the board was taken apart"': (_PRINTED,),
        },
    ),
    "jrc provision watch": Scene(
        put={"/dev/": ""},
        lines={
            "jrc provision watch /dev/ttyACM0 /dev/ttyACM1=fixture-2": Shows("stored"),
            "jrc provision watch '/dev/ttyACM*' --count 25 --reason \"batch 7\"": Ends(
                put={"--count 25": "--count 2"}
            ),
            "jrc provision watch '/dev/ttyUSB*' --send-keys --network lab --reason \"batch 7\"": (
                Shows("has stored its key") if HAS_COMPILER else NO_COMPILER
            ),
        },
        before={
            "jrc provision watch /dev/ttyACM0 /dev/ttyACM1=fixture-2": (
                f"cp {CONSOLES}/ariel-os.log ttyACM0",
                f"cp {CONSOLES}/riot.log ttyACM1",
            ),
            "jrc provision watch board-1.log board-2.log --once --json": (
                "cp ttyACM0 board-1.log",
                "cp ttyACM1 board-2.log",
            ),
            "jrc provision watch '/dev/ttyUSB*' --send-keys --network lab --reason \"batch 7\"": (
                f"cc -std=c99 -o device {SERIAL}/*.c",
                f"./device {NEW_BOARD} flash.bin ttyUSB0 &",
                "until test -e ttyUSB0; do sleep 0.1; done",
            ),
        },
    ),
    "jrc node push": _LIVES,
    "jrc node set": _LIVES,
    "jrc window open": Scene(
        before={
            "jrc window open lab --for 10m --max 20": ("jrc network set lab --admission window",),
            'jrc window open hall --for 2h --max 200 --reason "new lamps, floor 2"': (
                f"{_HALL} --admission window",
            ),
        },
    ),
    "jrc rollover watch": Scene(
        has_daemon=True,
        has_nodes=True,
        lines={"jrc rollover watch": Shows("lab: ")},
        before={
            "jrc rollover watch": (_RUNNING,),
            "jrc rollover watch lab | tee rollover.log": (
                "jrc rollover abort lab --yes",
                "jrc rollover start lab --yes",
            ),
        },
    ),
    "jrc rollover start": _LIVES,
    "jrc rollover resume": Scene(lines=SCENES["docs/rollover.md"].lines),
    "jrc events": Scene(
        has_daemon=True,
        lines={
            "jrc events --follow --json | jq --unbuffered .kind": Parsed(
                "it goes on; docs/audit-log.md has one that is ended"
            ),
        },
    ),
    "jrc events verify": Scene(
        before={
            "jrc events verify events.jsonl": (_EXPORTED,),
            "zcat events.jsonl.gz | jrc events verify -": ("gzip events.jsonl",),
        },
    ),
    "jrc db accept-server": Scene(
        # On a file it is refused; tests/test_opened_on_server.py has one that moved.
        lines={'jrc db accept-server --reason "upgraded to PostgreSQL 17"': Ends(6)},
    ),
    "jrc db accept-copy": Scene(
        lines={
            'jrc db accept-copy --reason "moved to the new disk"': Parsed(
                "memory tells no copy; tests/systemd/test_moved.py has one on a disk"
            ),
        },
    ),
    "jrc keys remove": Scene(
        before={"jrc keys remove spare": ("jrc keys add file spare --out spare.key",)}
    ),
    "jrc keys rotate": Scene(
        before={"jrc keys rotate --kek --data --yes": ("mv kek.new registrar/kek",)}
    ),
    "jrc token revoke": Scene(
        before={
            'jrc token revoke ci-firmware --reason "the build machine is gone"': (
                "jrc token add ci-firmware --scope import",
            ),
        },
    ),
    "jrc handover seal": Scene(
        before={
            "jrc handover seal pledges.csv --to registrar.key.pub --key builder.key"
            " --out batch7.sealed": _OPENED[:2],
            "jrc handover seal pledges.csv --to registrar.key.pub --key builder.key"
            " --expires 7d --serial batch-7 --out batch7.sealed": ("rm batch7.sealed",),
        },
    ),
    "jrc handover show": Scene(before={"jrc handover show batch7.sealed": _OPENED}),
    "jrc handover open": Scene(
        config=f'[handover]\nkey = "{HERE}/registrar.key"\nbuilders = ["{HERE}/builder.key.pub"]\n',
        before={
            'jrc handover open batch7.sealed --reason "batch 7"': (
                _OPENED[0].replace("registrar.key", "r.key"),  # the other is the config file's
                "mv r.key registrar.key; mv r.key.pub registrar.key.pub",
                *_OPENED[1:],
            ),
            "jrc handover open batch7.sealed --key registrar.key --from builder.key.pub    "
            ' --network plant --reason "batch 7" --report batch7.csv': (
                "jrc network add plant --network-id beef --prefix 2001:db8:0:2::/64",
                "rm batch7.sealed pledges.csv",
                "jrc pledge generate --count 2 --format csv --out pledges.csv",
                _OPENED[2],
            ),
        },
    ),
    "jrc lab run": Scene(
        lines={"jrc lab run --pledges 5 --once": Parsed("it is README's `make run`, tried there")}
    ),
    "jrc lab join": Scene(
        has_daemon=True,
        lines={"jrc lab join pledges.csv --network-id cafe": Shows("they stay")},
        before={
            "jrc pledge generate --count 20 --format csv --out pledges.csv": ("rm pledges.csv",),
            "jrc lab join pledges.csv --network-id cafe": ("jrc pledge import pledges.csv",),
        },
    ),
    "jrc backup restore": Scene(
        lines={
            'jrc backup restore /mnt/stick/jrc.backup --replace --reason "the disk has died"': (
                Ends(put={"--replace": "--replace --identity-file offline.key"})
            ),
            "jrc backup restore move.backup --passphrase-file FILE": Ends(
                put={"FILE": "/etc/jrc/passphrase"}
            ),
        },
        before={
            'jrc backup restore /mnt/stick/jrc.backup --replace --reason "the disk has died"': (
                _KEEP_IDENTITY,
                f"jrc backup create /mnt/stick/jrc.backup {_TO_IT}",
            ),
            "jrc backup restore move.backup --passphrase-file FILE": (
                "(umask 077; echo secret > /etc/jrc/passphrase)",
                "jrc recover --confirm-revocations --yes",
                "jrc backup create move.backup --passphrase-file /etc/jrc/passphrase --final --yes",
                *_NO_DATABASE,
            ),
        },
    ),
    "jrc backup create": Scene(
        config=_SEALED,
        before={
            "jrc backup create nightly.backup --passphrase-file /etc/jrc/passphrase --force": (
                "(umask 077; echo secret > /etc/jrc/passphrase)",
                "touch nightly.backup",
            ),
        },
    ),
    "jrc backup verify": Scene(
        before={
            "jrc backup verify nightly.backup --identity-file offline.key --json": (
                _KEEP_IDENTITY,
                f"jrc backup create nightly.backup {_TO_IT}",
            ),
        },
    ),
    "jrc backup keygen": Scene(
        lines={"jrc backup keygen /etc/jrc/backup.key": Types(("secret\n", "secret\n"))}
    ),
    "jrc recover": Scene(
        before={
            'jrc recover --confirm-revocations --reason "restored Monday\'s backup"': (
                _QUARANTINED,
            ),
            "jrc recover --confirm-revocations --revocations revoked.txt --yes": (
                _QUARANTINED,
                f"echo {OTHER} > revoked.txt",
            ),
        },
    ),
}
