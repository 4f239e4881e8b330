"""From the fields of a row to an applicant; each wrong field is named by its column."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from jrc.cojp.algorithms import Aead, Hkdf, aead_by_name, hkdf_by_name
from jrc.model import PledgeId, Profile, Secret
from jrc.service.applicants import Applicant, DerivedKeys
from jrc.service.import_rows import Row, RowError
from jrc.service.wording import listed, parse_role

T = TypeVar("T")

PROVENANCE = "import"
_DERIVED = ("pledge_sender_key", "pledge_recipient_key", "common_iv")


def applicant_of(row: Row, source: str) -> tuple[Applicant | None, Sequence[RowError]]:
    """The applicant of a row, or None and everything that is wrong with its fields.

    What a row that is not whole lacks is no fault of its own.
    """
    fields = _Fields(row)
    identifier = fields.take("pledge_id", PledgeId.from_hex, "is no identifier in hex")
    if "pledge_id" not in row.fields:
        fields.fault("pledge_id", "the field is empty")
    keys = _keys(fields)
    networks = fields.take("network", _names, "names a network twice or not at all") or ()
    role = fields.take("role", parse_role, "is no role; it is 6ln or 6lbr")
    profile = fields.take("profile", Profile, f"is no profile; it is {listed(Profile)}")
    aead = fields.take("aead", aead_by_name)
    hkdf = fields.take("hkdf", hkdf_by_name)
    used_before = fields.take("used_before", _yes_or_no, "is neither yes nor no") or False
    if fields.faults or identifier is None or keys is None:
        return None, fields.faults
    applicant = Applicant(
        identifier=identifier,
        keys=keys,
        networks=networks,
        role=role,
        label=row.fields.get("label"),
        profile=profile,
        aead=int(Aead.AES_CCM_16_64_128 if aead is None else aead),
        hkdf=int(Hkdf.SHA_256 if hkdf is None else hkdf),
        provenance=PROVENANCE,
        source=f"{source}:{row.line}",
        used_before=used_before,
    )
    return applicant, ()


class _Fields:
    """Reads a row's fields and collects what is wrong with them."""

    def __init__(self, row: Row) -> None:
        self.row = row
        self.faults: list[RowError] = []

    def fault(self, column: str, reason: str) -> None:
        self.faults.append(RowError(self.row.line, column, reason))

    def take(self, column: str, read: Callable[[str], T], reason: str = "") -> T | None:
        """The field's value, None where it is absent or wrong.

        ``reason`` stands for an error whose own text would repeat the field.
        """
        text = self.row.fields.get(column)
        if text is None:
            return None
        try:
            return read(text)
        except ValueError as error:
            self.fault(column, f"the field {reason}" if reason else str(error))
            return None


def _keys(fields: _Fields) -> Secret | DerivedKeys | None:
    """The row's PSK or its three derived values, never both (RFC 9031 App. B)."""
    given = [column for column in _DERIVED if column in fields.row.fields]
    if "psk" in fields.row.fields:
        if given:
            fields.fault(given[0], "a row has a psk or derived keys, not both")
            return None
        return fields.take("psk", _secret, "is not hex")
    if not given:
        if fields.row.is_whole:
            fields.fault("psk", "the row has no key")
        return None
    for column in _DERIVED:
        if column not in given and fields.row.is_whole:
            fields.fault(column, "the field is empty, and derived keys come three together")
    values = [fields.take(column, _secret, "is not hex") for column in given]
    secrets = [value for value in values if value is not None]
    return DerivedKeys(*secrets) if len(secrets) == len(_DERIVED) else None


def _secret(text: str) -> Secret:
    return Secret(bytes.fromhex(text.replace(":", "").replace("-", "")))


def _yes_or_no(text: str) -> bool:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    word = text.strip().lower()
    if word not in words:
        raise ValueError
    return words[word]


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(";") if name.strip())
    if not names or len(set(names)) != len(names):
        raise ValueError
    return names
