"""A registrar moves to a PostgreSQL server, and a second host shares it: as documents say."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests import postgresql
from tests.documents.blocks import below
from tests.systemd.conftest import Router
from tests.wheels import fetch

pytestmark = pytest.mark.systemd

PAGE = "docs/postgresql.md"
CHAPTER = "### As a service of systemd"
CONFIG = "etc/jrc/config.toml"
CREDENTIAL = "/etc/credstore.encrypted/jrc-kek"
SERVER, SECOND = "192.0.2.1", "192.0.2.2"
UNIT = """
[Service]
Type=notify
User=postgres
RuntimeDirectory=postgresql
StateDirectory=postgresql
ExecStartPre={bin}/initdb -D {data} -U postgres --auth-local=peer --auth-host=scram-sha-256 \
 --encoding=UTF8 --locale=C.UTF-8 --no-sync
ExecStartPre=sh -c 'echo host all all samenet scram-sha-256 >> {data}/pg_hba.conf'
ExecStart={bin}/postgres -D {data} -c listen_addresses=* -c unix_socket_directories=/run/postgresql
"""
DATA = "/var/lib/postgresql/data"
PASSWORD = "a-password"
AS_POSTGRES = "setpriv --reuid=postgres --regid=postgres --clear-groups"


@pytest.fixture(scope="module")
def server(router: Router, wheels: Path) -> Router:
    """The first host, with the server beside the registrar, and what the driver needs."""
    if (why := postgresql.missing()) is not None:
        pytest.skip(why)
    fetch(wheels, "image.txt")
    router.put_wheels(wheels)
    programs = postgresql.programs()
    unit = router.root / "etc/systemd/system/postgresql.service"
    unit.write_text(UNIT.format(bin=programs, data=DATA))
    router.run("systemd-sysusers", "-", given="u postgres - - /var/lib/postgresql /bin/sh\n")
    router.run("systemctl", "daemon-reload")
    router.run("systemctl", "start", "postgresql")
    (_, role, database, _), *_ = below(PAGE, "## Set-up")
    give = f"ALTER ROLE jrc PASSWORD '{PASSWORD}'"
    for text in (role, database, f'sudo -u postgres psql -c "{give}"'):
        router.type(f"PATH={programs}:$PATH; {text.replace('sudo -u postgres', AS_POSTGRES)}")
    return router


@pytest.fixture(scope="module")
def second(server: Router, successor: Router, wheels: Path) -> Router:
    """Another host, installed and not started, with a line to the first one."""
    successor.put_wheels(wheels)
    ends = [("netns", str(host.init)) for host in (server, successor)]
    words = ["link", "add", "line", *ends[0], "type", "veth", "peer", "name", "line", *ends[1]]
    subprocess.run(["ip", *words], check=True)
    for host, address in ((server, SERVER), (successor, SECOND)):
        host.run("ip", "addr", "add", f"{address}/24", "dev", "line")
        host.run("ip", "link", "set", "line", "up")
    return successor


def named(router: Router) -> None:
    """The server in the config file, as the page says."""
    file = router.root / CONFIG
    there = f"postgresql+psycopg://jrc:{PASSWORD}@{SERVER}/jrc"
    file.write_text(file.read_text().replace("sqlite:////var/lib/jrc/jrc.db", there))


def test_a_registrar_moves_to_a_server(server: Router, second: Router) -> None:
    """With all that it knows; its pledges join, and it starts again by itself after a kill."""
    del second  # which has made the line
    server.paste(CHAPTER, 1, page=PAGE)
    named(server)
    server.paste(CHAPTER, 2, page=PAGE)
    assert 40 == server.join()["joined"]
    assert "postgresql" in str(server.status()["database"])


def test_a_second_host_shares_it_and_goes_on_alone(server: Router, second: Router) -> None:
    """With the first one's config file, key and instance file."""
    second.paste(CHAPTER, 1, dict.fromkeys(below(PAGE, CHAPTER)[0][3:], lambda: None), PAGE)
    key = server.run("systemd-creds", "decrypt", "--name=jrc-kek", CREDENTIAL, "-")
    second.run("systemd-creds", "encrypt", "--name=jrc-kek", "-", CREDENTIAL, given=key)
    shutil.copy(server.root / CONFIG, second.root / CONFIG)
    instance = server.root / "var/lib/private/jrc/jrc.instance"
    shutil.copy(instance, second.root / "var/lib/jrc/jrc.instance")
    shutil.copy(server.root / "root/pledges", second.root / "root/pledges")
    second.run("systemctl", "enable", "--now", "jrc")
    assert 40 == second.join()["joined"]
    server.run("systemctl", "stop", "jrc.socket", "jrc.service")
    assert 40 == second.join()["joined"]
    second.wait_for(lambda: "'is_conductor': True" in str(second.status()), "the conductor's place")
