"""What a backup keeps of sealed files that were opened."""

from pathlib import Path

from jrc.service.handovers import list_handovers
from jrc.store.database import Database
from jrc.store.registry import StoreRegistry
from tests.desk import NOW_MS, Desk
from tests.service.test_handovers import handover
from tests.service.test_imports import Run, csv, line
from tests.store.backups import made
from tests.store.test_backup_restore import database


def _opened(of: Database) -> list[str]:
    with of.read(NOW_MS) as tx:
        return [each.serial for each in list_handovers(StoreRegistry(tx), after=0, limit=9)]


def test_a_restored_database_knows_what_was_opened_before_and_forgets_what_came_after(
    lab: Desk, tmp_path: Path
) -> None:
    """As it has the devices of the first, and not those of the second."""
    Run(lab, csv([line(1)]), handover=handover(lab, "before")).finish()
    backup = made(lab, tmp_path / "b")
    Run(lab, csv([line(2)]), handover=handover(lab, "after")).finish()
    backup.restored(tmp_path / "new")
    with database(tmp_path / "new") as new:
        assert _opened(new) == ["before"]
        (pledges,) = new.writer.connection.exec_driver_sql("SELECT count(*) FROM pledge").one()
        assert pledges == 1
    assert _opened(lab.database) == ["before", "after"]
