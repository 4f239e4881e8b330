"""CMake variables, for ``include``; byte strings are hex."""

from jrc.provision.device import Device
from jrc.provision.parts import Part, parts, title


def cmake(device: Device) -> str:
    """One ``set`` a value."""
    lines = [f"# {line}" for line in title(device)]
    for part in parts(device):
        lines += [f"# {part.meaning}", f'set(JRC_{part.name} "{as_text(part)}")']
    return "\n".join([*lines, ""])


def as_text(part: Part) -> str:
    """The value as build tools carry it."""
    return part.value.hex() if isinstance(part.value, bytes) else str(part.value)
