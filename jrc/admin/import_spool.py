"""The outcome of each row of an import, on disk until the import is over."""

import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from jrc.errors import OperatorError
from jrc.service.import_report import RowOutcome

_PIECE_BYTES = 64 * 1024


class Spool:
    """Lines of JSON, in a file that has no name and is gone with the process.

    A million rows take some 50 MB there, and nothing in memory.

    Raises:
        OperatorError: there is no room for them, here and in ``add``.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._file = TemporaryFile(dir=folder)  # noqa: SIM115
        except OSError as error:
            raise _no_room(error) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, outcomes: Sequence[RowOutcome]) -> None:
        """Some more rows."""
        try:
            self._file.write("".join(json.dumps(each) + "\n" for each in outcomes).encode())
        except OSError as error:
            raise _no_room(error) from None

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of them in order; then they are gone."""
        with self:
            self._file.seek(0)
            while piece := self._file.read(_PIECE_BYTES):
                yield piece


def _no_room(error: OSError) -> OperatorError:
    return OperatorError(
        f"the outcomes of the rows can't be kept ({error.strerror}); nothing was stored",
        "make room on the disk of the state directory, or leave --report out",
    )
