"""A listening socket that keeps a file in reserve, for the process that may open no more.

Whoever watches a registrar that is in trouble is to be told so, and a connection is a file. The one
in reserve is closed for the next connection, and taken back when that is over.
"""

import errno
import os
import select
import socket
import time
from typing import Any, Final

REST_S: Final = 0.5
"""asyncio tries again after a second."""
_OUT_OF_FILES: Final = (errno.EMFILE, errno.ENFILE)


class ReservingSocket(socket.socket):
    """As the listening socket that it is made of, which is this one from then on."""

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.family, listener.type, listener.proto, listener.detach())
        self._spare: int | None = None
        self._refused_s = -REST_S
        self._take_back()

    def accept(self) -> tuple[socket.socket, Any]:
        """As of a socket that does not block; one connection more than there are files for."""
        self._take_back()
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in _OUT_OF_FILES:
                raise
            self._look_whether_asked(error)
        self._give()
        return super().accept()

    def _look_whether_asked(self, error: OSError) -> None:
        """Returns where somebody waits and there is a file for them.

        Raises:
            BlockingIOError: nobody waits; without a file the kernel does not even look.
            OSError: there is none, for which a loop rests. It asks again before it does: once in
                ``REST_S`` is enough.
        """
        waiting = select.poll()
        waiting.register(self, select.POLLIN)
        is_asked = bool(waiting.poll(0))
        if is_asked and self._spare is not None:
            return
        now_s = time.monotonic()
        if is_asked and now_s - self._refused_s >= REST_S:
            self._refused_s = now_s
            raise error
        raise BlockingIOError from None

    def close(self) -> None:
        """As of a socket."""
        self._give()
        super().close()

    def _take_back(self) -> None:
        if self._spare is None:
            try:
                self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            except OSError:
                return

    def _give(self) -> None:
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
