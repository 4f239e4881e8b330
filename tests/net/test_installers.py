"""From sections of the config file to installers."""

import asyncio
from pathlib import Path

from jrc import config
from jrc.net.execinstaller import ExecInstaller
from jrc.net.installers import programs
from jrc.net.linuxinstaller import LinuxInstaller

TEXT = """
[[installer]]
network = "../lab"
kind = "exec"
command = ["/bin/true"]
[[installer]]
network = "../lab"
kind = "linux"
interface = "wpan0"
[[installer]]
network = "hall"
kind = "linux"
interface = "wpan1"
"""


def test_each_kind_has_its_installer_and_files_of_its_own(tmp_path: Path) -> None:
    """Whatever the network is called, they are in the folder."""
    found = programs(config.parse(TEXT).installer, tmp_path)
    assert [str(name) for name, _ in found] == ["../lab/exec", "../lab/linux", "hall/linux"]
    assert [type(each) for _, each in found] == [ExecInstaller, LinuxInstaller, LinuxInstaller]
    assert [each.is_local for _, each in found] == [False, True, True]
    files = [vars(each)["_lock"] for _, each in found]
    files += [vars(each)["_memory"].path for _, each in found[1:]]
    assert len(set(files)) == 5
    assert {path.parent for path in files} == {tmp_path}


def test_a_radio_behind_a_program_is_taken_to_have_its_keys(tmp_path: Path) -> None:
    """Nobody can look at it."""
    (_, program), *_ = programs(config.parse(TEXT).installer, tmp_path)
    assert asyncio.run(program.keeps())
