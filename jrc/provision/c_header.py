"""A C header: preprocessor alone, so that C and C++ of any age take it."""

from collections.abc import Iterator

from jrc.provision.device import Device
from jrc.provision.parts import Part, parts, title

_GUARD = "JRC_CREDENTIAL_H"
_BYTES_A_LINE = 8


def c_header(device: Device) -> str:
    """Byte strings are brace initialisers, each with its length in ``..._LEN``."""
    lines = [f"/* {line} */" for line in title(device)]
    lines += [f"#ifndef {_GUARD}", f"#define {_GUARD}", ""]
    for part in parts(device):
        lines += [f"/* {part.meaning} */", *_define(part)]
    return "\n".join([*lines, "", f"#endif /* {_GUARD} */", ""])


def _define(part: Part) -> Iterator[str]:
    name = f"JRC_{part.name}"
    if isinstance(part.value, bytes):
        yield f"#define {name} {_braced(part.value)}"
        yield f"#define {name}_LEN {len(part.value)}"
    elif isinstance(part.value, str):
        yield f'#define {name} "{part.value}"'
    else:
        yield f"#define {name} ({part.value})" if part.value < 0 else f"#define {name} {part.value}"


def _braced(value: bytes) -> str:
    rows = (value[at : at + _BYTES_A_LINE] for at in range(0, len(value), _BYTES_A_LINE))
    return (
        "{ \\\n    "
        + ", \\\n    ".join(", ".join(f"0x{b:02x}" for b in row) for row in rows)
        + " }"
    )
