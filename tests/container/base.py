"""A base image made of this host's own Debian packages: no registry, no network."""

import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath

WANTED = "python3-venv"
STRIP = "binutils"
_FIELDS = ("db:Status-Abbrev", "Package", "Essential", "Pre-Depends", "Depends", "Provides")
_LEFT_OUT = re.compile(r"/usr/share/(doc|man|info|locale|lintian|bug)/|/usr/share/[^/]*/test/")
_ACCOUNTS = {"passwd": "/usr/share/base-passwd/passwd.master",
             "group": "/usr/share/base-passwd/group.master"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Package:
    needs: tuple[tuple[str, ...], ...]
    is_essential: bool = False
    is_virtual: bool = False


def missing() -> str | None:
    """Why no base can be made of this host, None where one can."""
    if shutil.which("dpkg-query") is None:
        return "the base image is made of Debian packages, and there is no dpkg here"
    absent = {WANTED, STRIP} - _installed().keys()
    return f"not installed: {', '.join(sorted(absent))}" if absent else None


def write_base(path: Path, *more: str) -> None:
    """A tar of what Debian cannot do without, Python with ``venv``, and more packages.

    It has no documentation.
    """
    with tarfile.open(path, "w") as tar:
        for file in sorted(_files(*more)):
            tar.add(file, arcname=str(file), recursive=False)
        for name, source in _ACCOUNTS.items():
            tar.add(source, arcname=f"/etc/{name}")


def _files(*more: str) -> set[Path]:
    """All that the packages have here, each by its name without links in its folder."""
    names = _said("dpkg-query", "--listfiles", *sorted(_closure(*more))).splitlines()
    wanted = (name for name in names if name.startswith("/") and not _LEFT_OUT.match(f"{name}/"))
    found = {_resolved(name) for name in wanted if name != "/."}
    return {path for path in found if os.path.lexists(path)}


def _resolved(name: str) -> Path:
    path = PurePosixPath(name)
    return Path(os.path.realpath(path.parent)) / path.name


def _closure(*more: str) -> set[str]:
    """The essential packages, what is wanted, and whatever these depend upon."""
    installed = _installed()
    essential = [name for name, package in installed.items() if package.is_essential]
    open_ = [*essential, WANTED, *more]
    found: set[str] = set()
    while open_:
        name = open_.pop()
        if name not in found:
            found.add(name)
            open_ += _first_of_each(installed[name].needs, installed)
    return {name for name in found if not installed[name].is_virtual}


def _first_of_each(
    needs: tuple[tuple[str, ...], ...], installed: dict[str, _Package]
) -> Iterator[str]:
    for alternatives in needs:
        yield from [name for name in alternatives if name in installed][:1]


@cache
def _installed() -> dict[str, _Package]:
    """Installed packages; a name that several provide stands for one of them."""
    text = "\\t".join(f"${{{field}}}" for field in _FIELDS)
    lines = _said("dpkg-query", "--show", f"--showformat={text}\\n").splitlines()
    found: dict[str, _Package] = {}
    provided: dict[str, _Package] = {}
    for line in lines:
        state, name, essential, before, depends, provides = line.split("\t")
        if state.startswith("ii"):
            needs = (*_relations(before), *_relations(depends))
            found[name] = _Package(needs, is_essential=essential == "yes")
            for virtual in _relations(provides):
                provided[virtual[0]] = _Package(((name,),), is_virtual=True)
    return {**provided, **found}


def _relations(field: str) -> tuple[tuple[str, ...], ...]:
    """The names in ``a (>= 1) | b:any, c``: a tuple of alternatives each."""
    groups = [group for group in field.split(",") if group.strip()]
    return tuple(
        tuple(re.split(r"[\s:(]", each.strip())[0] for each in group.split("|")) for group in groups
    )


def _said(*words: str) -> str:
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout
