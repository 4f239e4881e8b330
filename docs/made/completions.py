"""What makes shells complete `jrc`, as files that packages install."""

from collections.abc import Iterator

from jrc.cli.completion import Shell, script

FILES = {Shell.BASH: "jrc.bash", Shell.ZSH: "_jrc", Shell.FISH: "jrc.fish"}


def files() -> Iterator[tuple[str, str]]:
    """Name and text of each."""
    for shell, name in FILES.items():
        yield name, script(shell) + "\n"
