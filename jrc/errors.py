"""The one error tree: what a peer did wrong, what an operator can mend, what must never be.

Each kind is mapped to the outside in one place only: ``PeerError`` to silence or a protected
diagnostic (``service/join.py``), ``OperatorError`` to an exit code (``cli/``) or an HTTP status
(``admin/``), ``StateError`` to a stop.
"""

from enum import IntEnum, StrEnum


class Reason(StrEnum):
    """Why a datagram got no answer, or a join was refused; metrics, logs and reports share it."""

    # Silence: nothing of the datagram can be trusted (RFC 9031 §7.3.2).
    TOO_LONG = "too_long"
    MULTICAST = "multicast"
    MALFORMED_MESSAGE = "malformed_message"
    TOKEN_TOO_LONG = "token_too_long"
    NOT_A_REQUEST = "not_a_request"
    UNPROTECTED = "unprotected"
    OUTER_CODE = "outer_code"
    CRITICAL_OPTION = "critical_option"
    OBSERVE = "observe"
    WRONG_HOST = "wrong_host"
    WRONG_SCHEME = "wrong_scheme"
    MALFORMED_OSCORE = "malformed_oscore"
    NO_PARTIAL_IV = "no_partial_iv"
    NO_KID_CONTEXT = "no_kid_context"
    KID_NOT_EMPTY = "kid_not_empty"
    UNKNOWN_CONTEXT = "unknown_context"
    BAD_TAG = "bad_tag"
    REPLAYED = "replayed"
    COPY_REFUSED = "copy_refused"
    MALFORMED_INNER = "malformed_inner"
    IN_FLIGHT = "in_flight"
    OVERLOADED = "overloaded"
    # Silence although the request verified: the registrar's own state forbids an answer.
    REVOKED = "revoked"
    AWAITING_APPROVAL = "awaiting_approval"
    QUARANTINED = "quarantined"
    NOT_RECOVERABLE = "not_recoverable"
    DAMAGED_STATE = "damaged_state"
    DATABASE = "database"
    # Silence of the Join Proxy (RFC 9031 §7.1).
    BLOCKLISTED = "blocklisted"
    JOIN_RATE = "join_rate"
    UNSAFE_OPTION = "unsafe_option"
    NOT_A_RESPONSE = "not_a_response"
    TOKEN_FORGED = "token_forged"
    TOKEN_REPLAYED = "token_replayed"
    TOKEN_STALE = "token_stale"
    SEND_FAILED = "send_failed"
    # Of what comes back for a Parameter Update (RFC 9031 §8.2, RFC 7252 §5.3.2).
    WRONG_PEER = "wrong_peer"
    # Refused with a protected answer.
    BAD_OPTION = "bad_option"
    NOT_FOUND = "not_found"
    METHOD = "method"
    MALFORMED_OBJECT = "malformed_object"
    UNKNOWN_PARAMETER = "unknown_parameter"
    UNKNOWN_ROLE = "unknown_role"
    UNKNOWN_NETWORK = "unknown_network"
    WINDOW_CLOSED = "window_closed"
    ROLE_NOT_GRANTED = "role_not_granted"
    KEYS_UNSUPPORTED = "keys_unsupported"
    NO_KEYS = "no_keys"
    NO_SHORT_IDENTIFIER = "no_short_identifier"
    NO_JRC_ADDRESS = "no_jrc_address"
    # Answered with a protected 4.01 that begins RFC 8613 App. B.2.
    RECOVERING = "recovering"


class ExitCode(IntEnum):
    """What a command's exit code says."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    PARTLY = 4
    UNFINISHED = 5
    REFUSED = 6


class JrcError(Exception):
    """Any error this program raises by itself."""


class PeerError(JrcError):
    """A peer's bytes can't be acted upon.

    ``reason`` is counted. ``answer`` is ``None`` where nothing may be sent, else the payload of
    the protected 4.00 (an encoded Unsupported_Configuration, RFC 9031 §8.3.2).
    """

    def __init__(self, reason: Reason, answer: bytes | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.answer = answer


class OperatorError(JrcError):
    """Something a person can mend: ``message`` names it, ``hint`` says what to do about it."""

    def __init__(
        self, message: str, hint: str = "", *, exit_code: ExitCode = ExitCode.FAILED
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = exit_code


class Cause(StrEnum):
    """What keeps the registrar from answering; metrics, status and logs share the words."""

    DISK_FULL = "disk_full"
    READ_ONLY = "read_only"
    LOCKED = "locked"
    OPEN_FILES = "open_files"
    IO_ERROR = "io_error"
    CORRUPT = "corrupt"
    REPLACED = "replaced"
    DATABASE = "database"
    SERVER = "server"
    NOT_DURABLE = "not_durable"
    INSTANCE_FILE = "instance_file"


REMEDIES = {
    Cause.DISK_FULL: "make room on the disk of the database; joins are answered again by"
    " themselves",
    Cause.READ_ONLY: "mount the file system of the database for writing again, or see why its"
    " file may not be written; joins are answered again by themselves",
    Cause.LOCKED: "another program holds the database: end it (`fuser jrc.db` names it); joins are"
    " answered again by themselves",
    Cause.OPEN_FILES: "the process may open no more files: see what is connected to it, or raise"
    " LimitNOFILE= of the unit; it goes on by itself",
    Cause.IO_ERROR: "see whether the disk of the database is broken (`dmesg`); joins are answered"
    " again when it works",
    Cause.CORRUPT: "nobody is answered from a database file that is damaged: stop the daemon,"
    " keep a copy of the file, look with `jrc doctor`, then restore a backup",
    Cause.REPLACED: "nobody is answered from a database file that is not in its place: stop the"
    " daemon, put the newest database file and its -wal back there, and start it again"
    " (docs/recovery.md)",
    Cause.DATABASE: "see whether its disk is full or broken; joins are answered again when it"
    " works",
    Cause.SERVER: "see whether PostgreSQL runs, can be reached from here and takes writes; joins"
    " are answered again by themselves",
    Cause.NOT_DURABLE: "set it back and reload the server, then run `sync` on its host: what was"
    " written meanwhile may not be on disk (docs/postgresql.md); joins are answered again by"
    " themselves",
    Cause.INSTANCE_FILE: "see whether its disk is full or read-only, or whether the process may"
    " open no more files; joins are answered again by themselves",
}
"""What a person does about each."""


class StoreError(OperatorError):
    """The database can't be read or written just now; what was under way has not happened."""

    def __init__(self, what: str, cause: Cause = Cause.DATABASE) -> None:
        super().__init__(f"the database can't be used ({what})", REMEDIES[cause])
        self.cause = cause


class CommitError(Exception):
    """The commit itself failed: whether it is on disk is unknown, so nothing may go on.

    No ``JrcError``: nobody who goes on after those may go on after this one.
    """


class ClosedError(OperatorError):
    """The database may not be used for joins: it is quarantined, or was moved."""

    def __init__(self, condition: str) -> None:
        super().__init__(
            f"nobody is answered: the database is {condition}",
            "`jrc status` says why, and what to do",
        )


class ConflictError(StoreError):
    """A row is not as the transaction took it to be, or does not fit those that are there."""


class StateError(JrcError):
    """An invariant broke; going on could repeat a nonce or a short identifier, so we stop."""
