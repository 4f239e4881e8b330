"""All sections of the config file, and which values of several go together."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import BeforeValidator, model_validator

from jrc.config.sections import (
    Admin,
    Api,
    Backup,
    Clock,
    Coap,
    Database,
    Events,
    Handover,
    Installer,
    Instance,
    Keys,
    Lab,
    Log,
    Metrics,
    Page,
    Provision,
    Proxy,
    Rollover,
    Section,
)
from jrc.config.values import as_tuple


class Settings(Section):
    """All settings, with absolute paths. ``metrics``, ``page``, ``proxy``: ``None`` is off."""

    coap: Coap = Coap()
    database: Database = Database()
    keys: Keys = Keys()
    admin: Admin = Admin()
    api: Api | None = None
    instance: Instance = Instance()
    backup: Backup = Backup()
    handover: Handover = Handover()
    events: Events = Events()
    metrics: Metrics | None = None
    page: Page | None = None
    clock: Clock = Clock()
    log: Log = Log()
    proxy: Proxy | None = None
    rollover: Rollover = Rollover()
    installer: Annotated[tuple[Installer, ...], BeforeValidator(as_tuple)] = ()
    provision: Provision = Provision()
    lab: Lab = Lab()

    @property
    def instance_file(self) -> Path:
        """The instance file: as configured, else beside the SQLite file."""
        if self.instance.file is not None:
            return self.instance.file
        assert self.database.file is not None, "checked when the settings were read"
        return self.database.file.with_suffix(".instance")

    @property
    def state_dir(self) -> Path:
        """The folder that one process at a time may change."""
        return (self.database.file or self.instance_file).parent

    @property
    def named_networks(self) -> dict[str, str]:
        """Networks that the file names, by key; the database may lack them, which then wait."""
        named = {f"installer[{n}].network": each.network for n, each in enumerate(self.installer)}
        if self.proxy is not None and self.proxy.network is not None:
            named["proxy.network"] = self.proxy.network
        return named

    @model_validator(mode="after")
    def _installers_are_apart(self) -> Self:
        names = [(each.network, each.name) for each in self.installer]
        if len(set(names)) != len(names):
            raise ValueError("installer.name: two installers of one network need names that differ")
        return self

    @model_validator(mode="after")
    def _radios_are_apart(self) -> Self:
        radios = [each.interface for each in self.installer if each.interface is not None]
        if len(set(radios)) != len(radios):
            raise ValueError("installer.interface: one radio is given to two installers")
        return self

    @model_validator(mode="after")
    def _files_are_apart(self) -> Self:
        if self.database.file is None and self.instance.file is None:
            raise ValueError(
                "instance.file is needed with a database server, in a folder that backups leave out"
            )
        named = {
            "database.url": self.database.file,
            "instance.file": self.instance_file,
            "keys.kek_file": self.keys.kek_file,
            "admin.socket": self.admin.socket,
        }
        seen: dict[Path, str] = {}
        for key, file in named.items():
            if file is not None and (other := seen.setdefault(file, key)) != key:
                raise ValueError(f"{other} and {key} name the same file")
        return self
