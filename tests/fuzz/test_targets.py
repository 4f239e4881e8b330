"""The fuzz targets themselves hold on their seeds, and each has its file."""

from pathlib import Path

import pytest

from tests.fuzz.operator_targets import OPERATOR_TARGETS
from tests.fuzz.targets import TARGETS, Target

DEPTH = 5000

CASES = [(target, seed) for target, seeds in TARGETS.items() for seed in seeds]


@pytest.mark.parametrize(("target", "seed"), CASES)
def test_each_target_holds_on_its_seeds_and_on_all_their_prefixes(
    target: Target, seed: bytes
) -> None:
    """Each parser is total, as far as a seed cut anywhere, or with one byte changed, shows."""
    for end in range(len(seed) + 1):
        target(seed[:end])
    for index in range(len(seed)):
        for byte in (0x00, 0x0D, 0x9F, 0xFF, seed[index] ^ 1):
            target(seed[:index] + bytes((byte,)) + seed[index + 1 :])


@pytest.mark.parametrize("target", OPERATOR_TARGETS)
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'[{"expected":'])
def test_no_depth_of_lists_or_objects_is_a_traceback(target: Target, opening: bytes) -> None:
    """JSON's reader gives up on what is nested deeper than the interpreter calls."""
    target(opening * DEPTH)


def test_each_target_has_a_file_and_each_file_a_target() -> None:
    """``make fuzz`` runs the files."""
    files = {path.stem for path in Path(__file__).parent.glob("fuzz_*.py")}
    assert files == {target.__name__ for target in TARGETS}
