"""Every outcome has a meaning and a next step."""

import pytest

from jrc.admin import metrics
from jrc.errors import Reason
from jrc.service.attempts import Outcome, Success
from jrc.service.remedies import NOTHING_HEARD, REMEDIES, Remedy


def test_every_outcome_has_its_remedy() -> None:
    """A reason that is added must say what to do about it."""
    assert {*Reason, *Success} == set(REMEDIES)


@pytest.mark.parametrize("remedy", [*REMEDIES.values(), NOTHING_HEARD])
def test_meanings_and_remedies_are_sentences(remedy: Remedy) -> None:
    """They are printed one after the other."""
    for text in remedy:
        assert text[:1].isupper() or text.startswith("`")
        assert text.endswith(".")
        assert "  " not in text


@pytest.mark.parametrize("outcome", REMEDIES)
def test_outcomes_are_words_for_programs(outcome: Outcome) -> None:
    """One list for metrics, logs and explanations."""
    assert outcome.value.replace("_", "").isalnum()
    assert outcome.value.islower()


def test_metrics_call_a_join_as_explanations_do() -> None:
    """A person goes from one to the other."""
    assert metrics.JOINED == Success.JOINED.value
