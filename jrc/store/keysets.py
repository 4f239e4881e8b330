"""Key domains and generations of link-layer keys (RFC 9031 §8.4.3); values are stored wrapped."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import exists, insert, select, update

from jrc.cojp.objects import LinkLayerKey
from jrc.errors import StateError
from jrc.model import KeySetState, Secret
from jrc.policy.keys import KeySet
from jrc.service.records import Domain, Generation, Provenance
from jrc.store.keyring import Purpose
from jrc.store.policy import open_key, sealed_keys
from jrc.store.schema import key_domain, key_generation, link_layer_key, node
from jrc.store.scope import Scope, draw_ids

_OVER = (KeySetState.RETIRED, KeySetState.ABORTED)
"""Nobody is given such keys; those of an aborted set may still lie in some nodes."""


class KeySets:
    """As ``service.registry.KeySetStore``."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection
        self._generations: dict[int, tuple[int, tuple[LinkLayerKey, ...]]] = {}

    def domain(self, name: str) -> Domain | None:
        """The key domain of this name.

        Raises:
            StateError: its row does not authenticate.
        """
        query = select(key_domain).where(key_domain.c.name == name)
        row = self._connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        self._scope.mac.check(key_domain, row)
        return Domain(row["id"], row["name"], _usages(row["key_usages"]))

    def add_domain(self, name: str, key_usages: Sequence[int]) -> Domain:
        """Write a new key domain."""
        (number,) = draw_ids(self._connection, key_domain, 1)
        row = {
            "id": number,
            "name": name,
            "key_usages": _usages_text(key_usages),
            "created_at_ms": self._scope.now_ms,
            "incarnation": 0,
            "version": 1,
        }
        self._connection.execute(insert(key_domain), self._scope.mac.seal(key_domain, row))
        return Domain(number, name, tuple(key_usages))

    def domains(self, before_incarnation: int | None = None) -> list[Domain]:
        """Every key domain, or those that were not renewed since ``before_incarnation`` began.

        Raises:
            StateError: a row does not authenticate.
        """
        query = select(key_domain).order_by(key_domain.c.id)
        if before_incarnation is not None:
            query = query.where(key_domain.c.incarnation != before_incarnation)
        rows = self._connection.execute(query).mappings().all()
        for row in rows:
            self._scope.mac.check(key_domain, row)
        return [Domain(row["id"], row["name"], _usages(row["key_usages"])) for row in rows]

    def renewed(self, domain_id: int, incarnation: int) -> None:
        """Note that a domain has fresh keys in this incarnation of the database."""
        self._change(domain_id, incarnation=incarnation)

    def change_usages(self, domain_id: int, key_usages: Sequence[int]) -> None:
        """Give a domain without live keys other usages."""
        self._change(domain_id, key_usages=_usages_text(key_usages))

    def _change(self, domain_id: int, **changes: object) -> None:
        query = select(key_domain).where(key_domain.c.id == domain_id).with_for_update()
        row = dict(self._connection.execute(query).mappings().one())
        row.update(changes, version=row["version"] + 1)
        self._connection.execute(
            update(key_domain)
            .where(key_domain.c.id == domain_id)
            .values(self._scope.mac.seal(key_domain, row))
        )

    def generations(self, domain_id: int) -> list[Generation]:
        """Every generation of a domain, oldest first.

        Raises:
            StateError: a row does not authenticate.
        """
        keys = self._keys(domain_id)
        found = []
        for row in self._rows(domain_id):
            self._scope.mac.check(key_generation, row, sealed_keys(keys[row["id"]]))
            found.append(_generation(row, keys[row["id"]]))
        return found

    def live(self, domain_id: int) -> list[KeySet]:
        """The sets that are neither retired nor aborted, with their values, oldest first.

        Raises:
            StateError: a row or a value does not authenticate.
        """
        live = [each for each in self.generations(domain_id) if each.state not in _OVER]
        rows = self._keys(domain_id)
        return [KeySet(e.number, e.state, self._opened(rows[e.id])) for e in live]

    def of_generation(self, generation_id: int) -> tuple[int, tuple[LinkLayerKey, ...]]:
        """The number of a generation that is not retired, and its keys; read once.

        Raises:
            StateError: it is retired, or a row or a value does not authenticate.
        """
        found = self._generations.get(generation_id)
        if found is None:
            found = self._generations[generation_id] = self._one(generation_id)
        return found

    def _one(self, generation_id: int) -> tuple[int, tuple[LinkLayerKey, ...]]:
        query = select(key_generation).where(key_generation.c.id == generation_id)
        row = self._connection.execute(query).mappings().one()
        keys = self._keys(row["domain_id"])[generation_id]
        self._scope.mac.check(key_generation, row, sealed_keys(keys))
        if KeySetState(row["state"]) in _OVER:
            raise StateError(f"generation {row['number']} of keys is over: nobody is told it")
        return row["number"], self._opened(keys)

    def _opened(self, rows: Sequence[Mapping[Any, Any]]) -> tuple[LinkLayerKey, ...]:
        return tuple(open_key(self._scope.keyring, row) for row in rows)

    def _rows(self, domain_id: int) -> Sequence[Mapping[Any, Any]]:
        query = (
            select(key_generation)
            .where(key_generation.c.domain_id == domain_id)
            .order_by(key_generation.c.number)
        )
        return self._connection.execute(query).mappings().all()

    def _keys(self, domain_id: int) -> Mapping[int, list[Mapping[Any, Any]]]:
        query = (
            select(link_layer_key)
            .join(key_generation, key_generation.c.id == link_layer_key.c.generation_id)
            .where(key_generation.c.domain_id == domain_id)
            .order_by(link_layer_key.c.id)
        )
        keys: defaultdict[int, list[Mapping[Any, Any]]] = defaultdict(list)
        for row in self._connection.execute(query).mappings():
            keys[row["generation_id"]].append(row)
        return keys

    def fingerprint(self, value: Secret) -> bytes:
        """What tells whether two key values are equal."""
        return self._scope.keyring.fingerprint(value.reveal())

    def known_values(self, values: Sequence[Secret]) -> dict[bytes, int]:
        """MIC lengths by fingerprint, of those among ``values`` that were ever used."""
        query = select(link_layer_key.c.fingerprint, link_layer_key.c.mic_length).where(
            link_layer_key.c.fingerprint.in_([self.fingerprint(value) for value in values])
        )
        return {row.fingerprint: row.mic_length for row in self._connection.execute(query)}

    def add(self, domain_id: int, key_set: KeySet, provenance: Provenance) -> int:
        """Write a generation with its keys; its row number."""
        (number,) = draw_ids(self._connection, key_generation, 1)
        keys = self._key_rows(number, key_set, provenance)
        is_current = key_set.state is KeySetState.CURRENT
        row = {
            "id": number,
            "domain_id": domain_id,
            "number": key_set.generation,
            "state": key_set.state.value,
            "created_at_ms": self._scope.now_ms,
            "activated_at_ms": self._scope.now_ms if is_current else None,
            "retired_at_ms": None,
            "version": 1,
        }
        sealed = self._scope.mac.seal(key_generation, row, sealed_keys(keys))
        self._connection.execute(insert(key_generation), sealed)
        self._connection.execute(insert(link_layer_key), keys)
        return number

    def _key_rows(
        self, generation_id: int, key_set: KeySet, provenance: Provenance
    ) -> list[Mapping[Any, Any]]:
        numbers = draw_ids(self._connection, link_layer_key, len(key_set.keys))
        return [
            {
                "id": number,
                "generation_id": generation_id,
                "key_id": key.key_id,
                "key_usage": key.key_usage,
                "key_addinfo": key.addinfo,
                "mic_length": key.mic_length,
                "fingerprint": self.fingerprint(key.key_value),
                "wrapped_value": self._wrap(number, key.key_value),
                "provenance": provenance.value,
            }
            for number, key in zip(numbers, key_set.keys, strict=True)
        ]

    def _wrap(self, number: int, value: Secret) -> bytes:
        return self._scope.keyring.wrap(
            Purpose.LINK_LAYER, "link_layer_key", number, "wrapped_value", 1, value.reveal()
        )

    def set_state(self, generation_id: int, state: KeySetState) -> None:
        """Let a generation go on in its life.

        Raises:
            StateError: its row does not authenticate.
        """
        query = select(key_generation).where(key_generation.c.id == generation_id)
        row = self._connection.execute(query.with_for_update()).mappings().one()
        keys = self._keys(row["domain_id"])[generation_id]
        self._scope.mac.check(key_generation, row, sealed_keys(keys))
        self._save_state(row, keys, state)

    def is_held(self, network_id: int, generation_id: int, *, role: int | None = None) -> bool:
        """As ``KeySetStore.is_held``."""
        held = exists().where(
            node.c.network_id == network_id, node.c.generation_id == generation_id
        )
        if role is not None:
            held = held.where(node.c.role == role)
        return bool(self._connection.scalar(select(held)))

    def retire_all(self, domain_id: int) -> None:
        """As ``KeySetStore.retire_all``."""
        rows = self._keys(domain_id)
        for row in self._rows(domain_id):
            keys = rows[row["id"]]
            is_intact = self._scope.mac.is_intact(key_generation, row, sealed_keys(keys))
            if row["state"] != KeySetState.RETIRED.value or not is_intact:
                self._save_state(row, keys, KeySetState.RETIRED)

    def _save_state(
        self, found: Mapping[Any, Any], keys: list[Mapping[Any, Any]], state: KeySetState
    ) -> None:
        row = {**found, "state": state.value, "version": found["version"] + 1}
        if state is KeySetState.CURRENT:
            row["activated_at_ms"] = self._scope.now_ms
        if state is KeySetState.RETIRED:
            row["retired_at_ms"] = self._scope.now_ms
        self._connection.execute(
            update(key_generation)
            .where(key_generation.c.id == row["id"])
            .values(self._scope.mac.seal(key_generation, row, sealed_keys(keys)))
        )


def _generation(row: Mapping[Any, Any], keys: Sequence[Mapping[Any, Any]]) -> Generation:
    (provenance,) = {key["provenance"] for key in keys} or {Provenance.GENERATED.value}
    return Generation(
        row["id"],
        row["number"],
        KeySetState(row["state"]),
        tuple(key["key_id"] for key in keys),
        Provenance(provenance),
        any(key["key_addinfo"] is not None for key in keys),
        row["activated_at_ms"],
        row["retired_at_ms"],
    )


def _usages(text: str) -> tuple[int, ...]:
    return tuple(int(usage) for usage in text.split(","))


def _usages_text(usages: Sequence[int]) -> str:
    return ",".join(str(usage) for usage in usages)
