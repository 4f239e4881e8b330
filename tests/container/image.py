"""The image of ``Dockerfile``, built without a daemon, in a storage of its own."""

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.container import base
from tests.wheels import fetch

CHECKOUT = Path(__file__).parents[2]
WHEELS = "/wheels"
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}
_SKIPPED = ("proc", "sys", "dev")


def missing() -> str | None:
    """Why no image can be built and run here, None where one can."""
    if os.geteuid() != 0:
        return "building and running containers without a daemon needs root"
    absent = [tool for tool in ("buildah", "crun") if shutil.which(tool) is None]
    if absent:
        return f"not installed: {', '.join(absent)}"
    return base.missing()


@dataclass(frozen=True, slots=True)
class Builder:
    """buildah with all its files in ``folder``; ``vfs`` and ``chroot`` work in a container too."""

    folder: Path
    driver: str = "vfs"

    @classmethod
    def at(cls, folder: Path) -> Self:
        """One that copies no layers, where the kernel can lay them over each other."""
        quick = cls(folder, "overlay")
        try:
            quick.run("info")
        except AssertionError:
            return cls(folder)
        return quick

    def run(self, *words: str) -> str:
        """What a command of buildah prints.

        Raises:
            AssertionError: it has failed.
        """
        (self.folder / "policy.json").write_text(json.dumps(_POLICY))
        root, run = self.folder / self.driver, self.folder / f"{self.driver}-run"
        places = ("--root", str(root), "--runroot", str(run))
        done = subprocess.run(
            ["buildah", *places, "--storage-driver", self.driver, *words],
            capture_output=True,
            text=True,
            env={**os.environ, "TMPDIR": str(self.folder), "BUILDAH_ISOLATION": "chroot"},
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    def build(self, name: str, dockerfile: Path, context: Path, *more: str) -> None:
        """An image in Docker's format, as the one of OCI has no health check."""
        policy = ("--signature-policy", str(self.folder / "policy.json"))
        words = ("build", "--format", "docker", "--layers=false", "--pull=false", *policy, *more)
        self.run(*words, "--tag", f"localhost/{name}", "--file", str(dockerfile), str(context))

    def config(self, name: str) -> Mapping[str, Any]:
        """What the image says of how it is to be run."""
        found = json.loads(self.run("inspect", "--type", "image", f"localhost/{name}"))
        config: Mapping[str, Any] = found["Docker"]["config"]
        return config

    def mounted(self, name: str) -> Path:
        """The files of a new container of an image."""
        policy = ("--signature-policy", str(self.folder / "policy.json"))
        container = self.run("from", "--pull=false", *policy, f"localhost/{name}").strip()
        return Path(self.run("mount", container).strip())

    def remove(self) -> None:
        """All containers and images."""
        self.run("umount", "--all")
        shutil.rmtree(self.folder)


def build_bases(builder: Builder) -> None:
    """The base image, and the one with ``strip`` that the image is built on."""
    for name, more in (("base", ()), ("build-base", (base.STRIP,))):
        context = builder.folder / name
        context.mkdir()
        base.write_base(context / "base.tar", *more)
        dockerfile = context / "Dockerfile"
        dockerfile.write_text("FROM scratch\nADD base.tar /\n")
        builder.build(name, dockerfile, context)
        shutil.rmtree(context)


def build_jrc(builder: Builder, wheels: Path, context: Path = CHECKOUT) -> None:
    """The image as users build it, on the base image, with wheels in place of an index."""
    fetch(wheels, "build.txt", "image.txt")
    given = {
        "BASE": "localhost/base",
        "BUILD_BASE": "localhost/build-base",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": WHEELS,
    }
    arguments = [word for pair in given.items() for word in ("--build-arg", "=".join(pair))]
    volume = ("--volume", f"{wheels}:{WHEELS}:ro")
    builder.build("jrc", context / "Dockerfile", context, *arguments, *volume)


def size_bytes(root: Path) -> int:
    """What the files below ``root`` take, one with several names once."""
    found: dict[tuple[int, int], int] = {}
    for folder, folders, names in os.walk(root):
        if Path(folder) == root:
            folders[:] = [each for each in folders if each not in _SKIPPED]
        for name in names:
            status = os.lstat(os.path.join(folder, name))
            found[status.st_dev, status.st_ino] = status.st_size
    return sum(found.values())
