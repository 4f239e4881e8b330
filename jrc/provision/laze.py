"""Variables for laze, the build system of Ariel OS: a module that others select."""

from jrc.provision.cmake import as_text
from jrc.provision.device import Device
from jrc.provision.parts import parts, title

MODULE = "jrc-credential"


def laze(device: Device) -> str:
    """A file for ``includes``; byte strings are hex, and quoted as YAML would read some as numbers.

    laze hands variables on in command lines and keeps them in its build files.
    """
    lines = [f"# {line}" for line in title(device)]
    lines += ["# laze writes these into its build files, and commands that use them show in `ps`."]
    lines += ["modules:", f"  - name: {MODULE}", "    env:", "      global:"]
    for part in parts(device):
        lines += [f"        # {part.meaning}", f'        JRC_{part.name}: "{as_text(part)}"']
    return "\n".join([*lines, ""])
