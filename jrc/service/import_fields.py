"""From the fields of a row to an applicant; each wrong field is named by its column."""

from collections.abc import Callable, Mapping, Sequence

from jrc.cojp.algorithms import Aead, Hkdf, aead_by_name, hkdf_by_name
from jrc.model import MAX_PLEDGE_ID_BYTES, PledgeId, Profile, Secret
from jrc.policy.key_check import CHECK_BYTES
from jrc.service.applicants import Applicant, DerivedKeys
from jrc.service.import_rows import COLUMNS, Row, RowError, may_be_shown
from jrc.service.records import KeyOrigin
from jrc.service.wording import listed, parse_role

PROVENANCE = "import"
_PROVENANCES = (PROVENANCE, *map(str, (KeyOrigin.GENERATE, KeyOrigin.HANDOVER, KeyOrigin.SERIAL)))
"""What a file may say of its keys: others are said by whoever sends it."""
_DERIVED = ("pledge_sender_key", "pledge_recipient_key", "common_iv")
_AEAD, _HKDF = Aead.AES_CCM_16_64_128.value, Hkdf.SHA_256.value
_MAX_PARTIAL_IV_DIGITS = 13
_MAX_PARTIAL_IV = 2**40 - 1
"""RFC 8613 §7.2.1: five bytes."""


def applicant_of(row: Row, source: str) -> tuple[Applicant | None, Sequence[RowError]]:
    """The applicant of a row, or None and everything that is wrong with its fields.

    What a row that is not whole lacks is no fault of its own.
    """
    values: dict[str, object] = {}
    faults = []
    for column, text in row.fields.items():
        read, reason = _FIELDS[column]
        try:
            values[column] = read(text)
        except ValueError as error:
            shown = str(error) if not reason and may_be_shown(text) else ""
            faults.append((column, shown or f"the field {reason or _UNSUPPORTED}"))
    faults += _missing(row)
    has_keys = "psk" in values or all(name in values for name in _DERIVED)
    if faults or not has_keys:
        faults.sort(key=lambda fault: COLUMNS.index(fault[0]))
        return None, [RowError(row.line, column, reason) for column, reason in faults]
    return _applicant(values, f"{source}:{row.line}"), ()


def _applicant(values: Mapping[str, object], source: str) -> Applicant:
    """The applicant of fields that are good."""
    psk = values.get("psk")
    return Applicant(
        identifier=values["pledge_id"],  # type: ignore[arg-type]
        keys=DerivedKeys(*(values[name] for name in _DERIVED)) if psk is None else psk,  # type: ignore[arg-type]
        networks=values.get("network", ()),  # type: ignore[arg-type]
        role=values.get("role"),  # type: ignore[arg-type]
        label=values.get("label"),  # type: ignore[arg-type]
        profile=values.get("profile"),  # type: ignore[arg-type]
        aead=values.get("aead", _AEAD),  # type: ignore[arg-type]
        hkdf=values.get("hkdf", _HKDF),  # type: ignore[arg-type]
        provenance=values.get("provenance", PROVENANCE),  # type: ignore[arg-type]
        source=source,
        used_before=values.get("used_before", False),  # type: ignore[arg-type]
        key_check=values.get("key_check"),  # type: ignore[arg-type]
    )


def _missing(row: Row) -> list[tuple[str, str]]:
    """What a row lacks, or has too much: a PSK or three derived values (RFC 9031 App. B)."""
    fields = row.fields
    faults = [] if "pledge_id" in fields else [("pledge_id", "the field is empty")]
    given = [column for column in _DERIVED if column in fields]
    if "psk" in fields:
        if given:
            faults.append((given[0], "a row has a psk or derived keys, not both"))
    elif not row.is_whole:
        return faults
    elif not given:
        faults.append(("psk", "the row has no key"))
    else:
        reason = "the field is empty, and derived keys come three together"
        faults += [(column, reason) for column in _DERIVED if column not in given]
    return faults


def _identifier(text: str) -> PledgeId:
    return PledgeId(_bytes(text))


def _secret(text: str) -> Secret:
    return Secret(_bytes(text))


def _bytes(text: str) -> bytes:
    """Bytes in hex, as vendors write them: with ``0x`` before, blanks, ``:`` or ``-`` between."""
    try:
        return bytes.fromhex(text)
    except ValueError:
        bare = text.removeprefix("0x").removeprefix("0X")
        return bytes.fromhex(bare.replace(":", "").replace("-", ""))


def _check_value(text: str) -> str:
    if len(text) != 2 * CHECK_BYTES:
        raise ValueError
    return bytes.fromhex(text).hex()


def _partial_iv(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_PARTIAL_IV_DIGITS):
        raise ValueError
    if int(text) > _MAX_PARTIAL_IV:
        raise ValueError
    return int(text)


def _yes_or_no(text: str) -> bool:
    words = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
    word = text.strip().lower()
    if word not in words:
        raise ValueError
    return words[word]


def _names(text: str) -> tuple[str, ...]:
    if ";" not in text:
        return (text,)
    names = tuple(name.strip() for name in text.split(";") if name.strip())
    if not names or len(set(names)) != len(names):
        raise ValueError
    return names


def _aead(text: str) -> int:
    return _AEAD if text == str(_AEAD) else aead_by_name(text).value


def _hkdf(text: str) -> int:
    return _HKDF if text == str(_HKDF) else hkdf_by_name(text).value


def _provenance(text: str) -> str:
    if text not in _PROVENANCES:
        raise ValueError
    return text


_UNSUPPORTED = "names nothing that is supported"
_NO_HEX = "is not hex"
_NO_PARTIAL_IV = f"is no number of 0 to {_MAX_PARTIAL_IV}"
_FIELDS: dict[str, tuple[Callable[[str], object], str]] = {
    "pledge_id": (_identifier, f"is no identifier of 1 to {MAX_PLEDGE_ID_BYTES} bytes in hex"),
    "psk": (_secret, _NO_HEX),
    "pledge_sender_key": (_secret, _NO_HEX),
    "pledge_recipient_key": (_secret, _NO_HEX),
    "common_iv": (_secret, _NO_HEX),
    "network": (_names, "names a network twice or not at all"),
    "role": (parse_role, "is no role; it is 6ln or 6lbr"),
    "label": (str, ""),
    "profile": (Profile, f"is no profile; it is {listed(Profile)}"),
    "aead": (_aead, ""),
    "hkdf": (_hkdf, ""),
    "used_before": (_yes_or_no, "is neither yes nor no"),
    "key_check": (_check_value, f"is no key check value of {2 * CHECK_BYTES} hex digits"),
    "ssn_start": (_partial_iv, _NO_PARTIAL_IV),
    "recv_start": (_partial_iv, _NO_PARTIAL_IV),
    "provenance": (_provenance, f"is no provenance; it is {listed(_PROVENANCES)}"),
}
"""How the field of each column is read, and what is said of one that can't be."""
