"""What commands of documents find, and what each of them does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

PORT, COAP, HERE = "@port@", "@coap@", "@here@"
"""In what a scene has: a port that is free, the registrar's own UDP port, and the folder."""


@dataclass(frozen=True, slots=True)
class _How:
    """``put``: what stands for the placeholders in the command, beside that of its scene."""

    put: Mapping[str, str] = field(default_factory=dict, kw_only=True)


@dataclass(frozen=True, slots=True)
class Ends(_How):
    """It ends with this exit code."""

    code: int = 0


@dataclass(frozen=True, slots=True)
class Types(_How):
    """It asks on a terminal, and gets these lines in turn."""

    answers: Sequence[str] = ()
    code: int = 0


@dataclass(frozen=True, slots=True)
class Shows(_How):
    """It goes on until Ctrl-C; it is given it when it has shown this."""

    text: str


@dataclass(frozen=True, slots=True)
class Stays(_How):
    """It goes on in a terminal of its own until the document ends, and shows this."""

    text: str


@dataclass(frozen=True, slots=True)
class Parsed(_How):
    """Its words are looked at, and it is not carried out, for this reason."""

    why: str


How = Ends | Types | Shows | Stays | Parsed


@dataclass(frozen=True, slots=True)
class Scene:
    """What a document's commands find; ``lines`` says how those are tried that differ.

    ``is_bare``: an empty folder. ``has_checkout``: that of a checkout; ``at`` a folder below it.
    ``has_daemon``: the registrar runs. ``has_nodes``: the pledges are nodes that live on.
    ``before`` a command others are given, which may fail. ``config`` is added to that of the
    registrar; ``put`` stands for placeholders in all commands.
    """

    lines: Mapping[str, How] = field(default_factory=dict)
    before: Mapping[str, Sequence[str]] = field(default_factory=dict)
    put: Mapping[str, str] = field(default_factory=dict)
    at: str = ""
    is_bare: bool = False
    has_checkout: bool = False
    has_lab: bool = True
    has_daemon: bool = False
    has_nodes: bool = False
    config: str = ""
