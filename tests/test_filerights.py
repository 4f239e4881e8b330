"""Who else has rights to a file: its mode, and lists that the kernel keeps."""

import os
import struct
from pathlib import Path

import pytest

from jrc.errors import OperatorError
from jrc.filerights import is_open_to_others
from jrc.store import keyfile

ATTRIBUTE = "system.posix_acl_access"
VERSION, NOBODY = 2, 0xFFFFFFFF
OWNER, USER, OWNING_GROUP, GROUP, MASK, OTHERS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
READ = 4
US, SOMEBODY = os.geteuid(), 54321


def is_open(file: Path, mode: int, *entries: tuple[int, int, int]) -> bool:
    """With this mode, and with a list if there are entries of one."""
    file.touch()
    file.chmod(mode)
    if entries:
        packed = b"".join(struct.pack("<HHI", *entry) for entry in sorted(entries))
        os.setxattr(file, ATTRIBUTE, struct.pack("<I", VERSION) + packed)
    with file.open("rb") as opened:
        return is_open_to_others(opened.fileno())


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_mode_that_is_its_owners_alone_is_open_to_nobody_else(tmp_path: Path, mode: int) -> None:
    """There is no list."""
    assert not is_open(tmp_path / "key", mode)


@pytest.mark.parametrize("mode", [0o440, 0o420, 0o404, 0o401, 0o644, 0o610])
def test_a_mode_with_rights_of_others_is_open(tmp_path: Path, mode: int) -> None:
    """Whichever rights; without a list the group's are its own."""
    assert is_open(tmp_path / "key", mode)


OURS = ((OWNER, READ, NOBODY), (USER, READ, US), (MASK, READ, NOBODY), (OTHERS, 0, NOBODY))
"""Mode 0440, as a credential of a service has it."""


@pytest.mark.parametrize(
    ("more", "open_to_others"),
    [
        (((OWNING_GROUP, 0, NOBODY),), False),
        (((OWNING_GROUP, 0, NOBODY), (USER, READ, 0)), False),
        (((OWNING_GROUP, 2, NOBODY),), False),
        (((OWNING_GROUP, READ, NOBODY),), True),
        (((OWNING_GROUP, 0, NOBODY), (USER, READ, SOMEBODY)), True),
        (((OWNING_GROUP, 0, NOBODY), (GROUP, READ, SOMEBODY)), True),
    ],
    ids=["nobody", "root", "masked", "its group", "another user", "another group"],
)
def test_a_list_is_read_for_whom_it_names(
    tmp_path: Path, more: tuple[tuple[int, int, int], ...], open_to_others: bool
) -> None:
    """The group's bits are the list's mask then, and give nobody anything."""
    entries = {(tag, who): (tag, rights, who) for tag, rights, who in (*OURS, *more)}
    assert open_to_others == is_open(tmp_path / "key", 0o400, *entries.values())
    assert 0o440 == (tmp_path / "key").stat().st_mode & 0o777


def test_a_credential_of_systemd_254_is_read_as_a_key(tmp_path: Path) -> None:
    """And one that another user may read is refused."""
    file = tmp_path / "jrc-kek"
    file.write_text(keyfile.key_text(keyfile.new_key()))
    assert not is_open(file, 0o400, *OURS, (OWNING_GROUP, 0, NOBODY))
    keyfile.read_key(file)
    assert is_open(file, 0o400, *OURS, (OWNING_GROUP, 0, NOBODY), (USER, READ, SOMEBODY))
    with pytest.raises(OperatorError, match="can be read by others"):
        keyfile.read_key(file)
