"""Commands that the sandbox leaves out are tried elsewhere, or somebody has said why not."""

from collections.abc import Mapping

from tests.documents.blocks import Command, commands
from tests.documents.elsewhere import BOOTED, HOST, followed, without_who
from tests.documents.trying import OF_HELP

_UNITS = "tests/systemd gives the same to the booted host in words of its own"
_JOURNAL = "tests/systemd reads the journal by these fields, as JSON"
_SERVER = "there is no PostgreSQL in the booted host"
_MONITORING = "neither Prometheus nor Grafana is in the booted host"
_CONTAINER = "owners are what tests/container makes itself"
_DROP_IN = "tests/systemd has a drop-in put there, in words of its own"
_IP = "deploy/systemd/ip.conf /etc/systemd/system/jrc.service.d/ip.conf"
_ENCRYPT = "systemd-creds encrypt --name=jrc-kek"
_KEY = "/var/lib/jrc/kek /etc/credstore.encrypted/jrc-kek"
UNTRIED: Mapping[tuple[str, str], str] = {
    ("docs/alerts.md", "systemctl reload prometheus"): _MONITORING,
    ("docs/alerts.md", "systemctl restart grafana-server"): _MONITORING,
    ("docs/backup.md", "systemctl start jrc"): _UNITS,
    ("docs/border-router.md", "systemctl daemon-reload"): _DROP_IN,
    ("docs/border-router.md", "systemctl restart jrc"): _DROP_IN,
    ("docs/border-router.md", f"install -D -m 644 {_IP}"): _DROP_IN,
    ("docs/border-router.md", f"install -D -m 644 {_IP.replace('ip.', 'serial-radio.')}"): _DROP_IN,
    ("docs/container.md", "sudo chown 10001 now.backup"): _CONTAINER,
    ("docs/container.md", "sudo install -d -m 0700 -o 10001 -g 10001 secrets"): _CONTAINER,
    ("docs/container.md", "sudo install -d -m 0700 -o 10001 -g 10001 tls"): _CONTAINER,
    (
        "docs/container.md",
        "sudo install -m 0400 -o 10001 -g 10001 fullchain.pem privkey.pem tls",
    ): _CONTAINER,
    ("docs/container.md", "sudo mv secrets/kek.new secrets/kek"): _CONTAINER,
    ("docs/keys.md", f"{_ENCRYPT} --with-key=auto {_KEY}"): _UNITS,
    ("docs/logs.md", "journalctl -u jrc -o json"): _JOURNAL,
    ("docs/logs.md", "journalctl -u jrc -p warning"): _JOURNAL,
    ("docs/logs.md", "journalctl -u jrc JRC_EVENT=join JRC_NETWORK=lab"): _JOURNAL,
    ("docs/logs.md", "journalctl -u jrc JRC_OUTCOME=window_closed --since today"): _JOURNAL,
    ("docs/logs.md", "journalctl -u jrc JRC_PLEDGE=00124b0014b5b67e"): _JOURNAL,
    ("docs/postgresql.md", f"install -D -m 644 {_IP}"): _SERVER,
    ("docs/postgresql.md", "jrc-offline backup restore /root/to-postgresql.backup"): _SERVER,
    (
        "docs/postgresql.md",
        "sudo -u postgres createdb --owner jrc --encoding UTF8 --template template0 jrc",
    ): _SERVER,
    ("docs/postgresql.md", "sudo -u postgres createuser jrc"): _SERVER,
    ("docs/postgresql.md", "systemctl daemon-reload"): _SERVER,
    ("docs/postgresql.md", "systemctl start jrc.socket jrc"): _SERVER,
    ("docs/postgresql.md", "systemctl stop jrc.socket jrc.service"): _SERVER,
}
"""What no test pastes into a booted host, with what comes nearest."""


def test_who_gives_a_command_is_no_part_of_it() -> None:
    """Nor is what stands before it for its environment."""
    assert ["createuser", "jrc"] == without_who(["sudo", "-u", "postgres", "createuser", "jrc"])
    assert ["rm", "x"] == without_who(["sudo", "rm", "x"])
    assert ["cargo", "build"] == without_who(["A=$PWD", "cargo", "build"])


def test_what_wants_a_booted_host_is_pasted_there() -> None:
    """With its chapter, or it is named above, which names none that is gone."""
    wanting = [each for each in commands() if _wants_a_host(each) and each.document != OF_HELP]
    written = {(each.document, each.text) for each in wanting}
    assert set() == written - followed() - set(UNTRIED)
    assert set() == set(UNTRIED) - written
    assert set() == set(UNTRIED) & followed()


def _wants_a_host(command: Command) -> bool:
    return without_who(command.words)[0] in BOOTED | HOST
