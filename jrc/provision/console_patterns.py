"""What the lines of consoles mean: the patterns that ship, and others by the same rules.

A pattern is searched for anywhere in a line, since loggers put times and levels before it. The
forms are those of Ariel OS (`CoAP server identity:` and `Device ID:`, by its `Cbor` and `Hex`
wrappers under `defmt` and `log`), of RIOT (the banner of `kernel_init`, `ifconfig`) and of the boot
ROM of ESP32 chips.
"""

import re
from dataclasses import dataclass
from typing import Final

VALUE: Final = "value"
"""The named group of a regular expression that has the bytes."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """Regular expressions for one kind of firmware; None is what it does not print.

    ``boot`` matches what only a start prints. Of ``device_id`` and ``identity`` the group ``value``
    has the bytes (``console_values.py``).
    """

    name: str
    boot: re.Pattern[str] | None = None
    device_id: re.Pattern[str] | None = None
    identity: re.Pattern[str] | None = None


def pattern(
    name: str, *, boot: str | None = None, device_id: str | None = None, identity: str | None = None
) -> Pattern:
    """A pattern of regular expressions in text.

    Raises:
        re.error: one of them is none.
    """
    return Pattern(name, *map(_compiled, (boot, device_id, identity)))


def _compiled(text: str | None) -> re.Pattern[str] | None:
    return None if text is None else re.compile(text)


_ESP_ROM: Final = r"ESP-ROM:|rst:0x[0-9a-fA-F]+ \("
_LEVELS: Final = "".join(rf"|(?<={level} )" for level in ("RACE", "EBUG", "INFO", "WARN", "RROR"))
_ARIEL_ID: Final = rf"(?:(?<![\w ])|(?<=\W )|(?<=^ ){_LEVELS})Device ID:\s*(?P<value>\S.*)"
"""Behind a level or at the beginning of a line or message: a USB device ID is another thing."""
_ARIEL_IDENTITY: Final = r"CoAP server identity:\s*(?P<value>\S.*)"
_ARIEL_BOOT: Final = rf"ariel_os_rt::startup\(\)|{_ESP_ROM}|Device ID:"
"""At its usual level Ariel OS says nothing of a start, and its id before its identity: so each
line with an id begins a new device, and an identity never goes to the id of a board before."""
_PROBE_RS_BOOT: Final = r"Finished in [\d.]+s"
"""What `probe-rs run` says between flashing a board and what the board prints."""

SHIPPED: Final = (
    pattern("ariel-os", boot=_ARIEL_BOOT, device_id=_ARIEL_ID, identity=_ARIEL_IDENTITY),
    pattern(
        "ariel-os-defmt",
        boot=f"{_ARIEL_BOOT}|{_PROBE_RS_BOOT}",
        device_id=_ARIEL_ID,
        identity=_ARIEL_IDENTITY,
    ),
    pattern(
        "riot",
        boot=rf"main\(\): This is RIOT!|{_ESP_ROM}",
        device_id=r"Long HWaddr:\s*(?P<value>(?:[0-9A-Fa-f]{2}:){7}[0-9A-Fa-f]{2})(?![0-9A-Fa-f:])",
        identity=_ARIEL_IDENTITY,
    ),
)
