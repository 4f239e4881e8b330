"""What happens in which order: the charts of ``docs/how-it-works.md``."""

from typing import Final

from docs.made.sequence import Chart, Does, Says

_PLEDGE, _PROXY, _JRC, _DATABASE, _NODE, _BORDER = (
    "pledge", "Join Proxy", "JRC", "database", "6LN", "6LBR",
)  # fmt: skip

CHARTS: Final = {
    "join": Chart(
        "How a pledge joins",
        (_PLEDGE, _PROXY, _JRC, _DATABASE),
        (
            Says(_PLEDGE, _PROXY, "Join Request (OSCORE)"),
            Does(_PROXY, "keeps nothing: its state goes into the token"),
            Says(_PROXY, _JRC, "the same, as a NON"),
            Does(_JRC, "finds the context, verifies the tag"),
            Says(_JRC, _DATABASE, "one transaction"),
            Does(_DATABASE, "window, short identifier, answer, audit event"),
            Says(_DATABASE, _JRC, "on disk"),
            Says(_JRC, _PROXY, "Configuration (OSCORE)"),
            Says(_PROXY, _PLEDGE, "the same, by the token"),
            Does(_PLEDGE, "has keys and a short address: a node"),
        ),
    ),
    "copy": Chart(
        "When the answer is lost",
        (_PLEDGE, _PROXY, _JRC, _DATABASE),
        (
            Says(_PLEDGE, _PROXY, "Join Request"),
            Says(_PROXY, _JRC, "the same, as a NON"),
            Says(_JRC, _DATABASE, "one transaction"),
            Says(_JRC, _PROXY, "Configuration"),
            Says(_PROXY, _PLEDGE, "lost on the radio", is_lost=True),
            Says(_PLEDGE, _PROXY, "the same bytes again"),
            Says(_PROXY, _JRC, "a NON with another token"),
            Does(_JRC, "knows the bytes: nothing is decided or encrypted anew"),
            Says(_JRC, _PROXY, "the stored answer"),
            Says(_PROXY, _PLEDGE, "Configuration"),
        ),
    ),
    "rollover": Chart(
        "How a network gets new keys",
        (_JRC, _BORDER, _NODE),
        (
            Does(_JRC, "planned: new keys are drawn"),
            Does(_JRC, "distributing"),
            Says(_JRC, _NODE, "Parameter Update: new keys"),
            Says(_NODE, _JRC, "2.04 (OSCORE): reached"),
            Does(_NODE, "sends with the old keys, hears both"),
            Does(_JRC, "switching: every 6LN is reached"),
            Says(_JRC, _BORDER, "Parameter Update: new keys"),
            Says(_BORDER, _JRC, "2.04"),
            Says(_BORDER, _NODE, "beacon under the new key"),
            Does(_NODE, "follows: sends with the new keys"),
            Does(_JRC, "guarding: 12 s"),
            Does(_JRC, "done: the old keys are retired"),
        ),
    ),
    "restart": Chart(
        "What a start looks at before anybody is answered",
        ("jrc run", "instance file", _DATABASE, "network"),
        (
            Says("jrc run", _DATABASE, "lock, key slot, schema"),
            Says("jrc run", "instance file", "which epoch, how far?"),
            Says("jrc run", _DATABASE, "the same, and the last event"),
            Does("jrc run", "equal: caches are empty, rows decide"),
            Does("jrc run", "behind, or no file: quarantined"),
            Says("jrc run", "network", "opens the socket"),
            Does("network", "numbers go on above the last block on disk"),
        ),
    ),
}
