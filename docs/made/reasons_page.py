"""``docs/reasons.md``: every word by which refusals and silence are counted, and what to do."""

import inspect
import re
from collections.abc import Iterator
from itertools import pairwise

from docs.made.pages import MADE, cell, joined, table
from jrc import errors
from jrc.errors import Cause, Reason
from jrc.service.attempts import Success
from jrc.service.explain_keys import Holding
from jrc.service.remedies import REMEDIES

_HEAD = f"""\
# Reason codes

{MADE}
One word says why a datagram got no answer, or a join was refused. It is the same word in `jrc pledge explain`, in the log, and in the metrics
`jrc_datagrams_dropped_total{{reason}}` and `jrc_joins_total{{result}}`. What to do with them: [explain.md](explain.md).
"""
_WORDS = ("code", "what happened", "what to do")
_HOLDINGS = {
    Holding.RETIRED: "It holds keys that are retired, and has to join again.",
    Holding.UNDER_WAY: "It is told the new keys now, or soon.",
    Holding.UNANSWERED: "It does not answer to the new keys.",
    Holding.REFUSED: "It refused the new keys.",
    Holding.MUST_JOIN: "There are new keys, and it takes no updates.",
    Holding.REVERTING: "A change was aborted, and it is still to be told the keys in force again.",
}


def page() -> str:
    """The whole page."""
    parts = [_HEAD, "## Answered as it wished\n", table(_WORDS, _rows(list(Success)))]
    for comment, reasons in _groups():
        parts += [f"## {comment}\n", table(_WORDS, _rows(reasons))]
    holdings = [(f"`{word}`", cell(_HOLDINGS[word])) for word in Holding]
    parts += ["## Of a node that has joined, and its keys\n", table(_WORDS[:2], holdings)]
    parts += [
        "## What keeps the registrar from answering at all\n",
        "The label `cause` of `jrc_trouble` and `jrc_troubles_total`, in `/readyz` and `jrc status` ([faults.md](faults.md)).\n",
        table(("code", "what to do"), [(f"`{c}`", cell(errors.REMEDIES[c])) for c in Cause]),
    ]
    return joined(parts)


def _rows(words: list[Reason] | list[Success]) -> list[tuple[str, str, str]]:
    return [
        (f"`{word}`", cell(REMEDIES[word].meaning), cell(REMEDIES[word].what_to_do))
        for word in words
    ]


def _groups() -> Iterator[tuple[str, list[Reason]]]:
    """The reasons as the code groups them, by the comment above each group."""
    source = inspect.getsource(Reason)
    marks = [(found[1], found.end()) for found in re.finditer(r"\n    # (.*)\.\n", source)]
    for (comment, start), (_, end) in pairwise([*marks, ("", len(source))]):
        names = re.findall(r"^    ([A-Z_0-9]+) = ", source[start:end], re.MULTILINE)
        yield comment, [Reason[name] for name in names]
