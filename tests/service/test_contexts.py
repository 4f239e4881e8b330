"""The filter of kid contexts and the bounded cache behind it."""

import pytest

from jrc.errors import StateError
from jrc.service import contexts as contexts_module
from jrc.service.contexts import Contexts, Filter
from tests.service.fakes import Shelf, identifier, known_context


@pytest.fixture
def shelf() -> Shelf:
    """Contexts of the pledges 1 to 5."""
    shelf = Shelf()
    shelf.known = {identifier(number): [known_context(number)] for number in range(1, 6)}
    return shelf


@pytest.fixture
def contexts(shelf: Shelf) -> Contexts:
    """A cache of three that knows of all five."""
    contexts = Contexts(shelf, capacity=3)
    contexts.learn(shelf.known)
    return contexts


def test_b06_an_unknown_kid_context_costs_no_read(contexts: Contexts, shelf: Shelf) -> None:
    """RFC 9031 §7.3.2: strangers reach neither the database nor memory."""
    for number in range(10, 500):
        assert not contexts.find(identifier(number))
    assert (0, 0) == (shelf.reads, len(contexts))


def test_b02_a_context_is_found_by_its_kid_context(contexts: Contexts, shelf: Shelf) -> None:
    """RFC 9031 §7.3."""
    assert shelf.known[identifier(2)] == list(contexts.find(identifier(2)))


def test_only_what_a_request_verified_under_is_kept(contexts: Contexts, shelf: Shelf) -> None:
    """A forged datagram must not push out what is in use."""
    contexts.find(identifier(1))
    assert 0 == len(contexts)
    contexts.keep(contexts.find(identifier(1)))
    before = shelf.reads
    contexts.find(identifier(1))
    assert (1, before) == (len(contexts), shelf.reads)


def test_the_oldest_makes_room(contexts: Contexts, shelf: Shelf) -> None:
    """Keeping one twice pushes nothing out."""
    for number in (1, 2, 3, 3):
        contexts.keep(contexts.find(identifier(number)))
    assert 3 == len(contexts)
    before = shelf.reads
    contexts.find(identifier(1))
    assert before == shelf.reads
    contexts.keep(contexts.find(identifier(4)))
    before = shelf.reads
    for number in (2, 3, 4):
        contexts.find(identifier(number))
    assert before == shelf.reads
    contexts.find(identifier(1))
    assert before + 1 == shelf.reads


def test_what_is_forgotten_is_read_anew(contexts: Contexts, shelf: Shelf) -> None:
    """One, or all; a context that was never there too."""
    for number in (1, 2, 3):
        contexts.keep(contexts.find(identifier(number)))
    contexts.forget(identifier(1))
    contexts.forget(identifier(9))
    assert 2 == len(contexts)
    contexts.forget_all()
    assert 0 == len(contexts)
    replaced = [known_context(1)]
    shelf.known[identifier(1)] = replaced
    assert replaced == list(contexts.find(identifier(1)))


def test_a_context_that_does_not_authenticate_is_not_found(
    contexts: Contexts, shelf: Shelf
) -> None:
    """The error goes to who asked, and nothing is kept of it."""
    shelf.error = StateError("damaged")
    with pytest.raises(StateError):
        contexts.find(identifier(1))
    assert 0 == len(contexts)


@pytest.mark.parametrize(
    "sizes", [(1, 1), (5000,), (100, 5000, 100), (4095, 1, 4096), (9000, 9000)]
)
def test_b02_the_filter_knows_what_it_was_told_and_nothing_else(sizes: tuple[int, ...]) -> None:
    """However many come at a time."""
    known, count = Filter(), 0
    assert identifier(0) not in known
    for size in sizes:
        known.add(identifier(number) for number in range(count, count + size))
        count += size
        assert all(identifier(number) in known for number in range(count))
    assert not any(identifier(number) in known for number in range(count, count + 1000))


def test_what_is_expected_is_read_at_once(contexts: Contexts, shelf: Shelf) -> None:
    """One read for all that is not in memory; strangers cost none."""
    contexts.keep(contexts.find(identifier(1)))
    before = shelf.reads
    contexts.expect([identifier(1), identifier(2), identifier(3), identifier(9)])
    for number in (1, 2, 3):
        assert shelf.known[identifier(number)] == list(contexts.find(identifier(number)))
    assert before + 1 == shelf.reads
    contexts.expect([identifier(1), identifier(9)])
    assert (before + 1, 1) == (shelf.reads, len(contexts))


def test_b06_forgeries_in_one_name_cost_one_read(contexts: Contexts, shelf: Shelf) -> None:
    """Whether they are read one by one or together; what is forgotten is read anew."""
    for _ in range(100):
        contexts.find(identifier(1))
        contexts.expect([identifier(1), identifier(2)])
        contexts.find(identifier(2))
    assert (2, 0) == (shelf.reads, len(contexts))
    contexts.forget(identifier(1))
    contexts.find(identifier(1))
    assert 3 == shelf.reads
    contexts.forget_all()
    contexts.find(identifier(2))
    assert 4 == shelf.reads


def test_b06_forgeries_push_out_nobody_who_has_verified(
    contexts: Contexts, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their place in memory is their own, and bounded."""
    monkeypatch.setattr(contexts_module, "MAX_UNVERIFIED", 2)
    contexts.keep(contexts.find(identifier(1)))
    contexts.expect([identifier(2), identifier(3), identifier(4)])
    for number in (2, 3, 4, 5):
        contexts.find(identifier(number))
    assert (2, 1) == (len(contexts._unverified), len(contexts))
    before = shelf.reads
    contexts.find(identifier(1))
    assert before == shelf.reads
    contexts.keep(contexts.find(identifier(2)))
    assert (1, 2) == (len(contexts._unverified), len(contexts))
