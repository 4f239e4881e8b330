"""Rust constants, for ``include!`` or a module; they need no ``std``."""

from jrc.provision.device import Device
from jrc.provision.parts import Part, parts, title

_WIDTHS = {"SSN_START": "u64", "RECV_START": "u64", "AEAD_TAG_LEN": "usize"}
_OTHER = "i32"


def rust(device: Device) -> str:
    """Byte strings are arrays."""
    lines = [f"// {line}" for line in title(device)]
    for part in parts(device):
        lines += [f"/// {part.meaning[0].upper()}{part.meaning[1:]}.", _constant(part)]
    return "\n".join([*lines, ""])


def _constant(part: Part) -> str:
    if isinstance(part.value, bytes):
        listed = ", ".join(f"0x{byte:02x}" for byte in part.value)
        return f"pub const {part.name}: [u8; {len(part.value)}] = [{listed}];"
    if isinstance(part.value, str):
        return f'pub const {part.name}: &str = "{part.value}";'
    return f"pub const {part.name}: {_WIDTHS.get(part.name, _OTHER)} = {part.value};"
