"""Bringing rows to new data keys, a few at a time, while joins go on.

Wrapped values say which data key they are under, row MACs do not: while the MAC key is changed,
rows fit under the new or the old one (``rowmac.py``). A row that fits under none stays as it is,
since sealing it anew would make good what was changed in it. Doing it twice changes nothing, so a
run that was killed begins at the front.

A transaction begins with the instance row. From the first transaction after the new keys on that
row is sealed with the new MAC key, so another registrar on the same database has read the new keys
before it writes again (``Keyring.look_again``): no row comes to be under an old one behind us.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Table,
    bindparam,
    func,
    select,
    tuple_,
    update,
)

from jrc.errors import StateError
from jrc.service.key_records import Course
from jrc.store.keyring import Keyring, Purpose, wrapping_key
from jrc.store.policy import sealed_keys
from jrc.store.rowmac import RowMac
from jrc.store.schema import (
    context,
    credential,
    instance,
    key_generation,
    link_layer_key,
    metadata,
    network,
    network_identifier,
    pledge,
    pledge_network,
)

WRAPPED: Mapping[Purpose, Column[bytes]] = {
    Purpose.CREDENTIAL: credential.c.wrapped_secret,
    Purpose.CONTEXT: context.c.wrapped_keys,
    Purpose.LINK_LAYER: link_layer_key.c.wrapped_value,
}
"""Every column with wrapped values."""
SEALED: Sequence[Table] = tuple(
    table for table in metadata.sorted_tables if "mac" in table.c and table is not instance
)
"""Every table whose rows have a MAC, but ``instance``, which each transaction writes."""

Row = Mapping[Any, Any]


class Rotation:
    """One transaction's part of a rotation."""

    def __init__(self, connection: Connection, keyring: Keyring, mac: RowMac) -> None:
        self._connection = connection
        self._keyring = keyring
        self._mac = mac
        self._places: list[tuple[Table, Column[bytes] | None, Purpose | None]] = [
            *((column.table, column, purpose) for purpose, column in WRAPPED.items()),
            *((table, None, None) for table in SEALED),
        ]

    def rows_left(self, course: Course) -> int:
        """How many rows ``course`` has not looked at, about."""
        count = 0
        for place, (table, _, _) in enumerate(self._places):
            if place >= course.place:
                after = course.after if place == course.place else None
                query = _after(select(func.count()).select_from(table), table, after)
                count += self._connection.scalar(query) or 0
        return count

    def go_on(self, course: Course | None, most: int) -> Course:
        """``course`` after up to ``most`` rows more; one of other data keys begins at the front."""
        newest = frozenset(self._keyring.newest(purpose) for purpose in Purpose)
        if course is None or course.newest != newest:
            course = Course(newest)
        left = most
        while left > 0 and course.place < len(self._places):
            before = course.done
            course = self._part(course, left)
            left -= course.done - before
        return replace(course, is_over=course.place == len(self._places))

    def _part(self, course: Course, most: int) -> Course:
        """``course`` after rows of one table."""
        table, column, purpose = self._places[course.place]
        key = list(table.primary_key)
        query = _after(select(table), table, course.after).order_by(*key).limit(most)
        rows = self._connection.execute(query.with_for_update()).mappings().all()
        unreadable = damaged = 0
        if column is None:
            changed, damaged = self._reseal(table, rows)
        else:
            assert purpose is not None
            changed, unreadable = self._rewrap(table, column, purpose, rows)
        course = replace(
            course,
            done=course.done + len(rows),
            changed=course.changed + changed,
            unreadable=course.unreadable + unreadable,
            damaged=course.damaged + damaged,
        )
        if len(rows) < most:
            return replace(course, place=course.place + 1, after=None)
        return replace(course, after=tuple(rows[-1][each.name] for each in key))

    def values_under(self, keys: Collection[int]) -> int:
        """How many wrapped values are under these data keys."""
        ids = [number.to_bytes(4) for number in keys]
        return sum(
            self._connection.scalar(
                select(func.count())
                .select_from(column.table)
                .where(func.substr(column, 2, 4).in_(ids))
            )
            or 0
            for column in WRAPPED.values()
        )

    def _rewrap(
        self, table: Table, column: Column[bytes], purpose: Purpose, rows: Sequence[Row]
    ) -> tuple[int, int]:
        """How many values were wrapped anew, and how many open under no key."""
        unreadable = 0
        fresh: list[tuple[Row, bytes]] = []
        for row in rows:
            value = row[column.name]
            if not value or wrapping_key(value) == self._keyring.newest(purpose):
                continue
            try:
                place = (table.name, row["id"], column.name, 1)
                opened = self._keyring.unwrap(*place, value)
            except StateError:
                unreadable += 1
                continue
            fresh.append((row, self._keyring.wrap(purpose, *place, opened)))
        self._set(table, column, fresh)
        return len(fresh), unreadable

    def _reseal(self, table: Table, rows: Sequence[Row]) -> tuple[int, int]:
        """How many rows were sealed anew, and how many fit under no key."""
        damaged = 0
        fresh: list[tuple[Row, object]] = []
        details = self._details(table, rows)
        for row in rows:
            given = details.get(row["id"], ([],)) if table in _WITH_DETAILS else ()
            if self._mac.is_newest(table, row, *given):
                continue
            if not self._mac.is_intact(table, row, *given):
                damaged += 1
                continue
            fresh.append((row, self._mac.seal(table, row, *given)["mac"]))
        self._set(table, table.c.mac, fresh)
        return len(fresh), damaged

    def _set(
        self, table: Table, column: Column[bytes], values: Sequence[tuple[Row, object]]
    ) -> None:
        """Write a column of these rows."""
        if not values:
            return
        key = list(table.primary_key)
        same = [each == bindparam(f"b_{each.name}") for each in key]
        change = update(table).where(*same).values({column.name: bindparam("fresh")})
        self._connection.execute(
            change,
            [
                {"fresh": v, **{f"b_{each.name}": row[each.name] for each in key}}
                for row, v in values
            ],
        )

    def _details(self, table: Table, rows: Sequence[Row]) -> Mapping[int, tuple[list[object]]]:
        """Values of dependent rows that the MACs of these rows cover too, by row number."""
        read = _WITH_DETAILS.get(table)
        return {} if read is None else read(self._connection, [row["id"] for row in rows])


def _networks_of_pledges(
    connection: Connection, numbers: Sequence[int]
) -> dict[int, tuple[list[object]]]:
    query = select(pledge_network.c.pledge_id, pledge_network.c.network_id).where(
        pledge_network.c.pledge_id.in_(numbers)
    )
    return _grouped(connection.execute(query.order_by(*_in_order(pledge_network))))


def _identifiers_of_networks(
    connection: Connection, numbers: Sequence[int]
) -> dict[int, tuple[list[object]]]:
    query = select(network_identifier.c.network_id, network_identifier.c.identifier).where(
        network_identifier.c.network_id.in_(numbers)
    )
    return _grouped(connection.execute(query.order_by(*_in_order(network_identifier))))


def _keys_of_generations(
    connection: Connection, numbers: Sequence[int]
) -> dict[int, tuple[list[object]]]:
    query = select(link_layer_key).where(link_layer_key.c.generation_id.in_(numbers))
    rows = connection.execute(query.order_by(link_layer_key.c.id)).mappings()
    return _grouped((row["generation_id"], *sealed_keys([row])) for row in rows)


def _in_order(table: Table) -> list[Column[Any]]:
    return [next(iter(table.primary_key)), table.c.position]


def _grouped(pairs: Any) -> dict[int, tuple[list[object]]]:
    found: dict[int, tuple[list[object]]] = {}
    for number, value in pairs:
        found.setdefault(number, ([],))[0].append(value)
    return found


_WITH_DETAILS = {
    pledge: _networks_of_pledges,
    network: _identifiers_of_networks,
    key_generation: _keys_of_generations,
}
"""Tables whose MACs cover values of other rows."""


def _after(query: Any, table: Table, after: tuple[object, ...] | None) -> Any:
    """``query`` for the rows whose primary key comes after ``after``."""
    if after is None:
        return query
    return query.where(tuple_(*table.primary_key) > after)
