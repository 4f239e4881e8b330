"""The schema: migrations build what the tables say, in one transaction, on a copied file."""

import io
import re
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, create_engine, create_mock_engine, text

from jrc.errors import OperatorError
from jrc.store import migrate
from jrc.store.bootstrap import create_database
from jrc.store.database import Database
from jrc.store.engine import create_private_file, writer_engine
from jrc.store.migrate import (
    alembic_config,
    check_schema,
    current_revision,
    migrations_folder,
    upgrade,
)
from jrc.store.schema import SCHEMA_REVISION, metadata
from tests.desk import KEK, NOW_MS, Desk

SCHEMAS = Path(__file__).parent / "schemas"


def schema_of(path: Path) -> dict[str, str]:
    """Every table and index of a file by name, its statement without white space and order."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL")
        return {name: normal(sql) for name, sql in rows if name != "alembic_version"}


def normal(sql: str) -> str:
    """A CREATE statement with its parts in order of the alphabet."""
    head, _, body = sql.partition("(")
    parts = re.split(r",\s*\n", body.strip().removesuffix(")"))
    return f"{head.strip()}({', '.join(sorted(' '.join(part.split()) for part in parts))})"


def frozen(path: Path, revision: str = "0001") -> str:
    """A database as a release made it, with its rows; the URL."""
    create_private_file(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((SCHEMAS / f"{revision}.sql").read_text())
    return f"sqlite:///{path}"


def set_revision(path: Path, revision: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()


def test_models_equal_head(desk: Desk) -> None:
    """Nothing is left to migrate after the newest revision."""
    with create_engine(desk.url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_migrations_build_the_very_same_statements(desk: Desk, tmp_path: Path) -> None:
    """Checks, partial indexes and names too, which a comparison of models leaves out."""
    models = tmp_path / "models.db"
    metadata.create_all(create_engine(f"sqlite:///{models}"))
    assert schema_of(desk.path) == schema_of(models)


def test_on_postgresql_migrations_and_models_say_the_same() -> None:
    """Types and comments, which SQLite has none of."""
    config = alembic_config()
    config.output_buffer = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JRC_DATABASE_URL", "postgresql+psycopg://")
        command.upgrade(config, "head", sql=True)
    said: list[str] = []

    def collect(statement: object, *_: object, **__: object) -> None:
        said.append(str(statement.compile(dialect=engine.dialect)))  # type: ignore[attr-defined]

    for table in metadata.tables.values():
        for index in table.indexes:
            if "where" in index.info:
                index.dialect_options["postgresql"]["where"] = text(index.info["where"])
    engine = create_mock_engine("postgresql+psycopg://", collect)
    metadata.create_all(engine, checkfirst=False)
    migrated = statements(config.output_buffer.getvalue())
    assert migrated == statements(";\n".join(said))
    assert any("COMMENT ON TABLE" in statement for statement in migrated)


def statements(script: str) -> list[str]:
    """The CREATE and COMMENT statements of a script, in order of the alphabet."""
    bare = re.sub(r"^--.*\n", "", script, flags=re.MULTILINE)
    found = [part.strip() for part in re.split(r";\s*(?:\n|$)", bare)]
    wanted = [part for part in found if re.match(r"(CREATE|COMMENT)", part)]
    return sorted(normal(part) for part in wanted if "alembic_version" not in part)


def test_head_is_the_revision_that_the_program_works_with(desk: Desk) -> None:
    """The daemon compares with a constant, without Alembic."""
    with create_engine(desk.url).connect() as connection:
        assert current_revision(connection) == SCHEMA_REVISION
        check_schema(connection)


def test_looking_at_the_revision_does_not_load_alembic() -> None:
    """The daemon starts without it."""
    script = (
        "import sys, jrc.store.migrate, jrc.store.bootstrap, jrc.store.registry;"
        "sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    ("revision", "message", "hint"),
    [
        ("0000", "older than 0001", "jrc db upgrade"),
        ("9999", "newer than 0001", "jrc db upgrade"),
    ],
)
def test_an_older_or_newer_schema_is_refused(
    desk: Desk, revision: str, message: str, hint: str
) -> None:
    """With the command that mends it."""
    set_revision(desk.path, revision)
    with create_engine(desk.url).connect() as connection:
        with pytest.raises(OperatorError, match=message) as refusal:
            check_schema(connection)
        assert hint in refusal.value.hint


def test_a_file_that_is_no_database_of_ours_is_refused(tmp_path: Path) -> None:
    """By the check and by the upgrade."""
    path = tmp_path / "empty.db"
    create_private_file(path)
    with (
        create_engine(f"sqlite:///{path}").connect() as connection,
        pytest.raises(OperatorError, match="none of our schemas"),
    ):
        check_schema(connection)
    with pytest.raises(OperatorError, match="none of our schemas"):
        upgrade(f"sqlite:///{path}", NOW_MS)


def test_a_frozen_dump_upgrades_to_head_with_its_rows(desk: Desk, tmp_path: Path) -> None:
    """What a release made opens with its key, and says the same as then."""
    url = frozen(tmp_path / "old.db")
    upgrade(url, NOW_MS)
    assert schema_of(tmp_path / "old.db") == schema_of(desk.path)
    database = Database.open(url, KEK)
    with database.read(NOW_MS) as tx:
        check_schema(tx.connection)
        rows = tx.connection.execute(text("SELECT hex(identifier), state FROM pledge")).all()
    database.close()
    assert [tuple(row) for row in rows] == [
        ("00124B0000000001", "provisioned"),
        ("00124B0000000002", "revoked"),
        ("00124B0000000003", "removed"),
    ]


def test_an_upgrade_of_head_does_nothing(desk: Desk) -> None:
    """And makes no copy."""
    report = upgrade(desk.url, NOW_MS)
    assert (report.before, report.after, report.copy) == (SCHEMA_REVISION, SCHEMA_REVISION, None)


def older(desk: Desk, monkeypatch: pytest.MonkeyPatch, statements: list[str]) -> None:
    """Make the program one revision newer than the database; the migration is ``statements``."""
    monkeypatch.setattr(migrate, "SCHEMA_REVISION", "0002")

    def run(connection: Connection, _revision: str = "head") -> None:
        for statement in statements:
            connection.execute(text(statement))

    monkeypatch.setattr(migrate, "migrate", run)
    desk.close()


def test_an_upgrade_copies_the_file_first(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is private and complete, with what was in the WAL."""
    desk.network()
    before = schema_of(desk.path)
    older(desk, monkeypatch, ["ALTER TABLE network ADD COLUMN note TEXT"])
    report = upgrade(desk.url, NOW_MS)
    assert report.copy == desk.path.with_name("jrc.db.before-0001-20261130T005320Z")
    assert report.copy is not None
    assert stat.S_IMODE(report.copy.stat().st_mode) == 0o600
    assert schema_of(report.copy) == before
    assert schema_of(desk.path) != before
    with closing(sqlite3.connect(report.copy)) as connection:
        assert connection.execute("SELECT name FROM network").fetchall() == [("lab",)]


def test_a_failure_halfway_leaves_the_file_unchanged(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's DDL is rolled back too."""
    desk.network()
    before = schema_of(desk.path)
    older(
        desk,
        monkeypatch,
        ["ALTER TABLE network ADD COLUMN note TEXT", "DELETE FROM network_identifier", "oops"],
    )
    with pytest.raises(OperatorError, match="can't be migrated"):
        upgrade(desk.url, NOW_MS)
    assert schema_of(desk.path) == before
    with closing(sqlite3.connect(desk.path)) as connection:
        assert connection.execute("SELECT count(*) FROM network_identifier").fetchone() == (1,)


def test_alembic_itself_rolls_back_what_failed(tmp_path: Path) -> None:
    """The whole chain: env.py, Alembic's transaction and ours."""
    path = tmp_path / "jrc.db"
    create_private_file(path)
    with writer_engine(f"sqlite:///{path}").connect() as connection:
        connection.exec_driver_sql("CREATE TABLE event (number INTEGER)")
        connection.commit()
        with pytest.raises(Exception, match="already exists"), connection.begin():
            migrate.migrate(connection)
    assert list(schema_of(path)) == ["event"]


def test_a_migration_that_loses_rows_others_refer_to_is_not_committed(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Foreign keys are off while tables are made anew, and are checked at the end."""
    desk.network()
    older(desk, monkeypatch, ["DELETE FROM key_domain"])
    with pytest.raises(OperatorError, match="refer to rows of key_domain"):
        upgrade(desk.url, NOW_MS)
    with closing(sqlite3.connect(desk.path)) as connection:
        assert connection.execute("SELECT count(*) FROM key_domain").fetchone() == (1,)


def test_a_newer_database_is_not_touched(desk: Desk) -> None:
    """Nor copied."""
    set_revision(desk.path, "9999")
    with pytest.raises(OperatorError, match="newer"):
        upgrade(desk.url, NOW_MS)
    assert list(desk.path.parent.glob("*.before-*")) == []


def test_an_existing_copy_is_not_overwritten(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The upgrade stops before it changes anything."""
    desk.path.with_name("jrc.db.before-0001-20261130T005320Z").write_text("precious")
    older(desk, monkeypatch, [])
    with pytest.raises(OperatorError, match="nothing was overwritten"):
        upgrade(desk.url, NOW_MS)


def test_migrations_are_found_in_the_package_before_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wheel carries them inside."""
    inside, beside = tmp_path / "jrc" / "migrations", tmp_path / "migrations"
    monkeypatch.setattr(migrate, "_PACKAGE", tmp_path / "jrc")
    with pytest.raises(OperatorError, match="missing from this installation"):
        migrations_folder()
    for folder in (beside, inside):
        folder.mkdir(parents=True)
        (folder / "env.py").touch()
        assert migrations_folder() == folder


def test_a_new_database_is_private_and_opens_with_its_key(tmp_path: Path) -> None:
    """Mode 0600, the WAL included; the epoch is the one that came back."""
    path = tmp_path / "jrc.db"
    epoch = create_database(f"sqlite:///{path}", KEK, NOW_MS)
    database = Database.open(f"sqlite:///{path}", KEK)
    assert database.instance.epoch == epoch
    modes = {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    database.close()
    assert modes == {0o600}


def test_an_existing_database_is_not_overwritten(desk: Desk) -> None:
    """Its bytes stay."""
    before = desk.path.read_bytes()
    with pytest.raises(OperatorError, match="nothing was overwritten"):
        create_database(desk.url, KEK, NOW_MS)
    assert desk.path.read_bytes() == before


def test_a_database_that_could_not_be_made_leaves_no_file(tmp_path: Path) -> None:
    """So that the command can be tried again."""

    def broken(_count: int) -> bytes:
        raise OSError("no randomness")

    with pytest.raises(OSError, match="no randomness"):
        create_database(f"sqlite:///{tmp_path}/jrc.db", KEK, NOW_MS, broken)
    assert list(tmp_path.iterdir()) == []
