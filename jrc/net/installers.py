"""The installers that the config file asks for."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from jrc.config import Installer
from jrc.net.execinstaller import ExecInstaller
from jrc.net.framecounter import CounterFile
from jrc.net.helperinstaller import HelperInstaller
from jrc.net.linuxinstaller import LinuxInstaller
from jrc.service.installers import InstallerId
from jrc.service.ports import KeyInstaller


def programs(sections: Sequence[Installer], folder: Path) -> list[tuple[InstallerId, KeyInstaller]]:
    """An installer for each section of the config file, in their order.

    ``folder`` is for their locks, and for what must outlive them.
    """
    return [(InstallerId(each.network, each.name), _installer(each, folder)) for each in sections]


def _installer(section: Installer, folder: Path) -> KeyInstaller:
    own = folder / _file_name(section)
    lock = own.with_name(f"{own.name}.lock")
    if section.interface is None:
        return ExecInstaller(section.command or (), section.timeout_s, lock)
    memory = CounterFile(own.with_name(f"{own.name}.counter"))
    if section.helper is not None:
        place = section.interface, section.timeout_s, lock, memory
        return HelperInstaller(*place, section.helper)
    return LinuxInstaller(section.interface, section.timeout_s, lock, memory)


def _file_name(section: Installer) -> str:
    """No two installers have the same; a network's name may be what no file's can be."""
    digest = sha256(f"{section.network}\0{section.name}".encode()).hexdigest()
    return f"installer-{section.name}-{digest[:16]}"
