"""Hypothesis strategies for CoJP objects and CoAP messages, and the way to the vectors."""

import json
from pathlib import Path
from typing import Any

import cbor2
from hypothesis import strategies as st

from jrc.cojp.algorithms import AEADS
from jrc.cojp.constants import MAX_OPTION_NUMBER
from jrc.cojp.message import Inner, Message
from jrc.cojp.objects import (
    Configuration,
    JoinRequest,
    LinkLayerKey,
    ShortIdentifier,
    UnsupportedParameter,
)
from jrc.cojp.oscore import OscoreOption
from jrc.model import Secret

VECTORS = Path(__file__).parent.parent / "vectors"
USABLE_AEADS = [number for number, aead in AEADS.items() if aead.max_id_length >= 3]
"""With room for the registrar's identifier (RFC 8613 §3.3)."""


def load(name: str) -> Any:
    """One file of vectors."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


integers = st.one_of(st.integers(-30, 30), st.integers(-(2**64), 2**64 - 1))
unsigned = st.one_of(st.integers(0, 300), st.integers(0, 2**64 - 1))
identifiers = st.binary(max_size=40)

# Items of any type that stay within depth 2 and 30 bytes or so each.
_leaves = st.one_of(
    integers, st.binary(max_size=8), st.text(max_size=4), st.booleans(), st.floats()
)
_containers = st.one_of(
    st.lists(_leaves, max_size=3), st.dictionaries(st.integers(0, 9), _leaves, max_size=2)
)
items = st.one_of(_leaves, _containers, st.lists(_containers, max_size=2)).map(cbor2.dumps)

unsupported_parameters = st.builds(
    UnsupportedParameter, integers, integers, st.one_of(st.none(), items)
)
join_requests = st.builds(
    JoinRequest,
    identifiers,
    st.sampled_from([0, 1]),
    st.lists(unsupported_parameters, max_size=3).map(tuple),
)


def _sized(*sizes: int) -> st.SearchStrategy[bytes]:
    return st.one_of([st.binary(min_size=size, max_size=size) for size in sizes])


_values = st.binary(min_size=16, max_size=16).map(Secret)
link_layer_keys = st.one_of(
    st.builds(
        LinkLayerKey,
        st.integers(1, 254),
        _values,
        st.integers(0, 14),
        st.one_of(st.none(), _sized(4, 8)),
    ),
    st.builds(LinkLayerKey, st.just(0), _values, st.integers(0, 14), _sized(2, 8, 10)),
)
short_identifiers = st.builds(
    ShortIdentifier,
    st.integers(0, 0xFFFD).map(lambda value: value.to_bytes(2, "big")),
    st.one_of(st.none(), unsigned),
)
configurations = st.builds(
    Configuration,
    st.lists(link_layer_keys, max_size=4).map(tuple),
    st.one_of(st.none(), short_identifiers),
    st.one_of(st.none(), _sized(16)),
    st.one_of(st.none(), st.lists(st.binary(max_size=12), max_size=5).map(tuple)),
    st.one_of(st.none(), unsigned),
)

_option_numbers = st.one_of(st.integers(0, 300), st.integers(0, MAX_OPTION_NUMBER))
options = st.lists(st.tuples(_option_numbers, st.binary(max_size=300)), max_size=6).map(
    lambda pairs: tuple(sorted(pairs, key=lambda pair: pair[0]))
)
codes = st.integers(1, 255).filter(lambda code: code >> 5 not in (1, 6, 7))
tokens = st.one_of(
    st.binary(max_size=20),
    st.sampled_from([0, 8, 9, 12, 13, 14, 268, 269, 270, 1024, 65804]).map(
        lambda size: b"\xa5" * size
    ),
)
messages = st.builds(
    Message, st.integers(0, 3), codes, st.integers(0, 0xFFFF), tokens, options, st.binary()
)
inners = st.builds(Inner, codes, options, st.binary())
partial_ivs = st.integers(0, 2**40 - 1).map(
    lambda number: number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")
)
oscore_options = st.builds(
    OscoreOption,
    st.one_of(st.none(), partial_ivs),
    st.one_of(st.none(), st.binary(max_size=8)),
    st.one_of(st.none(), st.binary(max_size=255)),
)
