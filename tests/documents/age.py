"""``age -d [-i FILE]``, as far as documents use it, where no age is to be had.

What a person types stands here: the passphrase of the backups in the sandbox.
"""

import sys
from pathlib import Path

import pyrage

PASSPHRASE = "secret"


def main(words: list[str]) -> None:
    """Standard input, opened; any other use is an error."""
    sealed = sys.stdin.buffer.read()
    match words:
        case ["-d"]:
            opened = pyrage.passphrase.decrypt(sealed, PASSPHRASE)
        case ["-d", "-i", file]:
            identity = pyrage.x25519.Identity.from_str(Path(file).read_text().strip())
            opened = pyrage.decrypt(sealed, [identity])
        case _:
            sys.exit(2)
    sys.stdout.buffer.write(opened)


if __name__ == "__main__":
    main(sys.argv[1:])
