"""What a kernel or a document may refuse the installer for Linux, and what is said of it."""

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jrc.net.runlock import RunLock
from jrc.service.ports import InstallOutcome
from tests.net.bench import BEFORE, INSTALLED, NEW, OLD, Bench, document, key
from tests.net.nl802154 import ADD_DEV, ADD_KEY, ADD_SECLEVEL, GETPARAMS, LIST_KEY, SETPARAMS
from tests.net.wpan import PlayedKernel


def broken(bench: Bench, prepare: Callable[[PlayedKernel], None]) -> str:
    """How a run over a kernel that is not as it should be ends."""
    prepare(bench.kernel)
    outcome = bench.install(BEFORE)
    assert (outcome.installed, outcome.said) == (False, b"")
    return outcome.how


def attributes(**named: object) -> Callable[[PlayedKernel], None]:
    def prepare(kernel: PlayedKernel) -> None:
        for name, value in named.items():
            assert hasattr(kernel, name)
            setattr(kernel, name, value)

    return prepare


@pytest.mark.parametrize(
    ("named", "how"),
    [
        ({"may_administer": False}, "this process may not set link-layer keys (CAP_NET_ADMIN); "),
        ({"is_strict": True}, "this kernel refuses every link-layer key, which is an error of"),
        ({"has_llsec": False}, "the driver of wpan0 has no link-layer security that Linux can"),
        ({"fails": {ADD_KEY: errno.EEXIST}},
         "wpan0: the kernel refuses to add key 1 (File exists)"),
        ({"fails": {ADD_SECLEVEL: errno.EINVAL}},
         "wpan0: the kernel refuses to add the security levels of frame type 0 (Invalid argument)"),
        ({"fails": {GETPARAMS: errno.EOPNOTSUPP}},
         "wpan0: the kernel refuses to read its parameters (Operation not supported)"),
        ({"fails": {LIST_KEY: errno.EPERM}},
         "wpan0: the kernel refuses to list its keys (Operation not permitted)"),
        ({"fails": {SETPARAMS: errno.ENODEV}},
         "wpan0: the kernel refuses to send with key 1 (No such device)"),
        ({"fails": {ADD_DEV: errno.ENOMEM}},
         "wpan0: the kernel refuses to add node 00124b0014b5b67e (Cannot allocate memory)"),
    ],
)  # fmt: skip
def test_each_refusal_has_one_sentence(bench: Bench, named: dict[str, Any], how: str) -> None:
    """What was asked and what the kernel said; never a key."""
    found = broken(bench, attributes(**named))
    assert found.startswith(how)
    assert "\n" not in found
    for value in (OLD, NEW):
        assert value.hex() not in found


def test_an_old_kernel_is_named_with_those_that_are_good(bench: Bench) -> None:
    """It refuses a key's bytes before it looks at them (mended in 2026)."""
    found = broken(bench, attributes(is_strict=True))
    assert "Debian's are good from 6.1.180-1 and 6.12.100-1" in found
    assert bench.steps == []


def test_a_run_that_failed_halfway_is_mended_by_the_next(bench: Bench) -> None:
    """Wherever it stopped."""
    for command in (ADD_DEV, ADD_SECLEVEL, ADD_KEY, SETPARAMS):
        bench.kernel.fails = {command: errno.ENOBUFS}
        assert not bench.install(BEFORE).installed
    bench.kernel.fails = {}
    assert bench.install(BEFORE) == INSTALLED
    assert (bench.held, bench.kernel.wpan.enabled) == ({1: OLD}, 1)


def test_a_kernel_that_is_silent_does_not_hold_the_run_up(tmp_path: Path) -> None:
    """The time of the settings, whatever it was asked."""
    for command in (LIST_KEY, ADD_KEY):
        bench = Bench(tmp_path)
        bench.kernel.silent_at = command
        late = InstallOutcome(False, "took longer than 0.05 s")
        assert bench.install(BEFORE, timeout_s=0.05) == late
        assert bench.install(BEFORE, timeout_s=0.05) == late


def test_a_document_that_linux_can_not_have_is_a_failure(bench: Bench) -> None:
    """Before anything is asked of the kernel."""
    outcome = bench.install(document({**key(1, OLD), "addinfo": "01020304"}))
    assert outcome.how.startswith("key 1 is named by a key source as well")
    assert bench.kernel.requests == []


def test_two_runs_are_never_at_once(bench: Bench) -> None:
    """Not even of two processes: the lock is a file's."""
    held = RunLock.take(bench.lock)
    held.name(4711)
    outcome = bench.install(BEFORE)
    assert outcome == InstallOutcome(False, "an earlier run still goes on (process 4711)")
    held.give_back()
    assert bench.install(BEFORE) == INSTALLED
    bench.lock.unlink()
    bench.lock.mkdir()
    assert bench.install(BEFORE).how.startswith("can't be started (")
