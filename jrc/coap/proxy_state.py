"""What the Join Proxy as a CoJP node must never forget: numbers and window (RFC 9031 §7.3.1).

One file beside the key: replaced as a whole, synced before a number is used or an answer leaves,
and locked by the process that has it. A file that was lost is begun anew without danger, since
numbers start at the seconds since 2026-01-01 and never run ahead of them; which numbers of the
registrar were seen is then unknown until it has proved to be fresh (RFC 8613 App. B.1.2). A file
that is damaged, or belongs to another key, is left alone and refused.
"""

import fcntl
import hmac
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Final

from jrc.cojp.constants import REPLAY_WINDOW_SIZE
from jrc.cojp.replay import NumberBlock, ReplayWindow, reserve
from jrc.errors import ExitCode, OperatorError
from jrc.filerights import read_private
from jrc.model import PledgeId, Secret
from jrc.policy.credentials import MIN_KEY_BYTES, check_psk

MAX_FILE_BYTES: Final = 4096
_CHECK_BYTES: Final = 16
_FORMAT: Final = 1
_MARK: Final = b"jrc proxy state"


def read_psk(path: Path, identifier: PledgeId) -> Secret:
    """The proxy's pre-shared key: hex in a file that nobody else can read.

    Raises:
        OperatorError: it is missing, readable by others, weak, or holds something else.
    """
    try:
        text = read_private(path, "proxy.psk_file:", MAX_FILE_BYTES)
    except OSError as error:
        raise OperatorError(
            f"proxy.psk_file: {path} can't be read ({error.strerror})",
            "put the key there that the registrar has for proxy.pledge_id, in hex, mode 0600",
        ) from None
    try:
        psk = bytes.fromhex(text.decode("ascii").strip())
    except ValueError:
        raise OperatorError(
            f"proxy.psk_file: {path} does not hold a key of {MIN_KEY_BYTES} bytes or more in hex",
            "put the key there that the registrar has for proxy.pledge_id",
        ) from None
    try:
        check_psk(identifier, psk)
    except ValueError as error:
        raise OperatorError(
            f"proxy.psk_file: {path}: {error}",
            "draw another one (`openssl rand -hex 16`), and give it to the registrar as well",
        ) from None
    return Secret(psk)


class NodeState:
    """The numbers that were given out, and the window of those received (RFC 8613 §3.1).

    ``window`` is None as long as nobody knows which numbers the registrar has used. ``id_context``
    is what RFC 8613 App. B.2 has put in the place of the ``identifier``, None without.
    """

    def __init__(self, path: Path, identifier: bytes, psk: Secret) -> None:
        self.window: ReplayWindow | None = None
        self.id_context: bytes | None = None
        self.identifier = identifier
        self.is_new = True
        self._path = path
        self._mark = hmac.digest(psk.reveal(), _MARK + identifier, "sha256")[:8].hex()
        self._reserved = 0
        self._high_water_s = 0
        self._lock: int | None = None

    @classmethod
    def open(cls, path: Path, identifier: bytes, psk: Secret) -> "NodeState":
        """The state in ``path``, or a new one where there is no file; it is locked until closed.

        Raises:
            OperatorError: another process has it, or it is damaged, or of another key.
        """
        state = cls(path, identifier, psk)
        state._acquire()
        try:
            state._read()
        except OperatorError:
            state.close()
            raise
        return state

    @classmethod
    def check(cls, path: Path, identifier: bytes, psk: Secret) -> None:
        """That ``open`` could read ``path``; nothing is locked, made or changed.

        Raises:
            OperatorError: it is damaged, of another key, or not to be read.
        """
        cls(path, identifier, psk)._read()

    def close(self) -> None:
        """Let another process have it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def wait_s(self, now_s: int) -> int:
        """Seconds until a number is due; ``now_s`` in Unix seconds.

        Raises:
            OperatorError: the clock is behind what it was.
        """
        return self._next(now_s).wait_s(now_s)

    def take(self, now_s: int) -> int:
        """A sender sequence number that was never used and is on disk as used.

        Raises:
            OperatorError: the clock is behind what it was, or the file can't be written.
            StateError: the number is not due yet (``wait_s``), or none is left.
        """
        block = self._next(now_s)
        number, _ = block.take(now_s)
        self._write(block.reserved, max(now_s, self._high_water_s), self.window)
        return number

    def accept(self, number: int) -> None:
        """Put a number of the registrar behind us; on disk when this returns.

        The first one after the window was lost is its lower limit (RFC 8613 App. B.1.2): whatever
        came before it may be a replay.

        Raises:
            OperatorError: the file can't be written; the number counts as not seen.
            StateError: the number is not fresh.
        """
        if self.window is None:
            window = ReplayWindow(number, (1 << REPLAY_WINDOW_SIZE) - 1)
        else:
            window = self.window.accept(number)
        self._write(self._reserved, self._high_water_s, window)

    def renew(self, id_context: bytes) -> None:
        """Have another security context, under which nothing was received; on disk at the return.

        Raises:
            OperatorError: the file can't be written; the context before stays.
        """
        self._write(self._reserved, self._high_water_s, ReplayWindow(), id_context)

    def _next(self, now_s: int) -> NumberBlock:
        """One number at a time: requests are rare, and no restart leaves a number behind."""
        return reserve(self._reserved, now_s, 1, high_water_s=self._high_water_s)

    def _acquire(self) -> None:
        path = self._path.with_name(self._path.name + ".lock")
        try:
            self._lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise OperatorError(
                f"another process has the proxy's state {self._path}",
                "one proxy at a time may use a credential; stop the other one",
                exit_code=ExitCode.REFUSED,
            ) from None
        except OSError as error:
            raise OperatorError(
                f"proxy.state_file: {path} can't be made ({error.strerror})",
                "let this user write there, or name another file",
            ) from None

    def _read(self) -> None:
        try:
            text = self._path.read_bytes()
        except FileNotFoundError:
            return
        except OSError as error:
            raise OperatorError(
                f"proxy.state_file: {self._path} can't be read ({error.strerror})"
            ) from None
        try:
            fields = json.loads(text)
            check = fields.pop("check")
            if fields["format"] != _FORMAT or check != _check(fields):
                raise ValueError("damaged")
            reserved, high_water_s = int(fields["reserved"]), int(fields["high_water_s"])
            window = None if fields["window"] is None else ReplayWindow(*map(int, fields["window"]))
            renewed = fields.get("id_context")
            id_context = None if renewed is None else bytes.fromhex(renewed)
            is_ours = fields["mark"] == self._mark
        except (
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ):
            raise OperatorError(
                f"proxy.state_file: {self._path} is damaged, and it tells which numbers were used",
                "if this host's clock is right, delete the file: numbers then begin at the clock",
            ) from None
        if not is_ours:
            raise OperatorError(
                f"proxy.state_file: {self._path} belongs to another identifier or key",
                "name another file under [proxy] for the new credential",
            )
        self._reserved, self._high_water_s, self.window = reserved, high_water_s, window
        self.id_context = id_context
        self.is_new = False

    def _write(
        self,
        reserved: int,
        high_water_s: int,
        window: ReplayWindow | None,
        renewed: bytes | None = None,
    ) -> None:
        """Replace the file, then believe it; the context stays unless it is ``renewed``."""
        id_context = renewed or self.id_context
        fields = {
            "format": _FORMAT,
            "mark": self._mark,
            "reserved": reserved,
            "high_water_s": high_water_s,
            "window": None if window is None else list(window),
            "id_context": None if id_context is None else id_context.hex(),
        }
        text = json.dumps({**fields, "check": _check(fields)}) + "\n"
        try:
            _replace(self._path, text.encode())
        except OSError as error:
            raise OperatorError(
                f"proxy.state_file: {self._path} can't be written ({error.strerror})",
                "until it can, the proxy neither joins nor takes updates",
            ) from None
        self._reserved, self._high_water_s, self.window = reserved, high_water_s, window
        self.id_context = id_context


def _check(fields: dict[str, object]) -> str:
    """What tells a torn or edited file; it keeps nobody from making one."""
    return sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()[: 2 * _CHECK_BYTES]


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    file = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(file, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(file)
    os.replace(temporary, path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
