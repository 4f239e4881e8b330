"""What the threat model claims is shown by tests that are there."""

import re

from tests.documents.blocks import CHECKOUT

_CITED = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_each_test_that_the_threat_model_names_is_there() -> None:
    """By file and name, relative to ``tests/``."""
    cited = _CITED.findall((CHECKOUT / "docs/threat-model.md").read_text(encoding="utf-8"))
    assert len(cited) > 20
    missing = [
        f"{name}::{test}"
        for name, test in cited
        if not (CHECKOUT / "tests" / name).exists()
        or f"def {test}(" not in (CHECKOUT / "tests" / name).read_text(encoding="utf-8")
    ]
    assert [] == missing
