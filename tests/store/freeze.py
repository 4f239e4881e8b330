"""Writes ``schemas/<revision>.sql``: a small database as this version makes it, for good.

``python -m tests.store.freeze`` before a release whose schema is new; never for an older one.
"""

import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from jrc.service.enroll import remove_pledge
from jrc.service.identities import Sighting, record
from jrc.service.identity_store import Origin
from jrc.service.registry import Registry
from jrc.service.revoking import revoke_pledge
from jrc.store.schema import SCHEMA_REVISION
from tests.desk import ACTOR, Desk, pledge_id
from tests.identities import credential


def main() -> None:
    """Write the dump of the current revision, which must not exist."""
    target = Path(__file__).parent / "schemas" / f"{SCHEMA_REVISION}.sql"
    with tempfile.TemporaryDirectory() as folder, target.open("x") as file:
        desk = Desk(Path(folder))
        desk.network()
        for number in (1, 2, 3):
            desk.pledge(number)
        desk.write(lambda tx: revoke_pledge(tx, pledge_id(2), actor=ACTOR))
        desk.write(lambda tx: remove_pledge(tx, pledge_id(3), actor=ACTOR))
        desk.write(_see)
        desk.close()
        with closing(sqlite3.connect(desk.path)) as connection:
            file.write("\n".join(connection.iterdump()) + "\n")


def _see(tx: Registry) -> None:
    shown = Sighting(
        identifier=pledge_id(1), credential=credential(1), provenance=Origin.SERIAL, place="tty"
    )
    record(tx, shown, actor=ACTOR)


if __name__ == "__main__":
    main()
