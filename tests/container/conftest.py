"""The image, built once, and a project folder like ``deploy/`` with everything that it needs."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import postgresql
from tests.cli.terminal import free_port
from tests.container import image
from tests.container.bundle import Container, Mount, Project
from tests.container.image import CHECKOUT, Builder

OWNER = 10001
NETWORK = ("network", "add", "lab", "--network-id", "cafe", "--prefix", "2001:db8:0:1::/64")
PLAIN = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
"""What `docker run --read-only --cap-drop ALL --security-opt no-new-privileges` asks for."""


@dataclass(frozen=True, slots=True)
class Image:
    """The image: its files, how it is to be run, and its builder."""

    builder: Builder
    root: Path
    config: Mapping[str, Any]

    def container(
        self, folder: Path, mounts: list[Mount], service: Mapping[str, Any] | None = None
    ) -> Container:
        """A container that is to be started."""
        return Container(
            folder, self.root, self.config, mounts, PLAIN if service is None else service
        )

    def set_up(
        self,
        project: Project,
        folder: Path,
        *command: str,
        more: Sequence[Mount] = (),
        given: str = "",
    ) -> tuple[int, str]:
        """`docker compose run --rm setup COMMAND`: exit code and what it says."""
        service = project.compose["services"]["setup"]
        with self.container(folder, [*project.mounts("setup"), *more], service) as container:
            done = container.run(*command, given=given)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="session")
def image_of_jrc(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[Image]:
    """The image, on a base that is made of this host."""
    why = image.missing()
    if why is not None:
        pytest.skip(why)
    builder = Builder.at(tmp_path_factory.mktemp("builder"))
    try:
        image.build_bases(builder)
        image.build_jrc(builder, pytestconfig.cache.mkdir("wheels"))
        yield Image(builder, builder.mounted("jrc"), builder.config("jrc"))
    finally:
        builder.remove()


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """An empty volume, which an engine gives the owner that the image's folder has."""
    return volume_at(tmp_path / "volume")


def volume_at(path: Path) -> Path:
    """A new folder that the registrar's user may use."""
    path.mkdir(mode=0o700)
    os.chown(path, OWNER, OWNER)
    return path


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A server with a checkout."""
    with new_project(tmp_path / "server") as made:
        yield made


@pytest.fixture(scope="module")
def ready(image_of_jrc: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A server on which `setup init` has been given, and a network was made."""
    folder = tmp_path_factory.mktemp("ready")
    with new_project(folder / "server") as made:
        for number, command in enumerate((("init",), NETWORK)):
            code, said = image_of_jrc.set_up(made, folder / f"setup{number}", *command)
            assert code == 0, said
        yield made


@contextmanager
def new_project(folder: Path) -> Iterator[Project]:
    """``deploy/`` after the first step of its instructions, with the database that it asks for.

    All that differs are the ports, as the containers of tests share the host's network.
    """
    shutil.copytree(CHECKOUT / "deploy/compose", folder / "compose")
    config = folder / "compose/config.toml"
    text = config.read_text().replace("[::]:5683", "[::1]:0")
    config.write_text(text.replace("[::]:9631", f"[::1]:{free_port()}"))
    volume_at(folder / "secrets")
    compose = yaml.safe_load((CHECKOUT / "deploy/compose.yaml").read_text())
    server = postgresql.new_server()
    try:
        set_up(server, folder / "compose")
        volumes = {"state": volume_at(folder / "state"), "db-socket": server.folder}
        yield Project(folder, compose, volumes)
    finally:
        server.remove()


def set_up(server: postgresql.Server, files: Path) -> None:
    """What PostgreSQL's image does with the files that compose.yaml gives it."""
    server.sql("DROP ROLE jrc")
    for statement in (files / "database.sql").read_text().split(";"):
        if statement.strip():
            server.sql(statement)
    rules = server.folder / "pg_hba.conf"
    rules.write_bytes((files / "pg_hba.conf").read_bytes())
    server.configure(f"hba_file = '{rules}'")
    server.stop("fast")
    server.start()
