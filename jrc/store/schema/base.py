"""What all tables share."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, text

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")


def id_column() -> Column[int]:
    """A row's number, given by the database."""
    return Column("id", Id, primary_key=True, autoincrement=True)


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> Index:
    """An index of the rows that a condition holds for.

    PostgreSQL's word for it (``postgresql_where``) would load that dialect into every process;
    tables are made by migrations, which have it, and a test holds the two equal.
    """
    return Index(name, *columns, unique=unique, sqlite_where=text(where), info={"where": where})


def sealed() -> tuple[Column[int], Column[bytes]]:
    """What a row that decides about security carries (``rowmac.py``)."""
    return (
        Column("version", BigInteger, nullable=False),
        Column("mac", LargeBinary(16), nullable=False),
    )
