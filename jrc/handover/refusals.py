"""Why a sealed file is refused: each with a sentence of its own and what to do about it."""

from jrc.errors import ExitCode, OperatorError
from jrc.service.handovers import fingerprint_text
from jrc.service.wording import utc_text

_ASK_AGAIN = "have it sent again, and compare its SHA-256 with the builder's: sha256sum {name}"


def _refused(message: str, hint: str) -> OperatorError:
    return OperatorError(message, hint, exit_code=ExitCode.REFUSED)


def no_sealed_file(name: str) -> OperatorError:
    """Something else, or one that was changed where it says what it is."""
    return _refused(
        f"{name} is not a sealed file, or no longer",
        "`jrc handover seal` makes one; `jrc pledge import` takes files that are not sealed",
    )


def cut_short(name: str) -> OperatorError:
    """Its end is missing."""
    return _refused(f"{name} is cut short: its end is missing", _ASK_AGAIN.format(name=name))


def goes_on(name: str) -> OperatorError:
    """Something was added."""
    return _refused(f"{name} goes on behind its end", _ASK_AGAIN.format(name=name))


def too_large(name: str, most_bytes: int) -> OperatorError:
    """It would take too much memory."""
    return _refused(
        f"{name} is longer than {most_bytes} bytes, which is more than a sealed file may have",
        "seal the devices in several files",
    )


def tampered(name: str) -> OperatorError:
    """The signature does not fit."""
    return _refused(
        f"{name} was changed after it was signed: the signature does not fit",
        _ASK_AGAIN.format(name=name),
    )


def other_builder(name: str, signed_by: bytes, trusted: list[str]) -> OperatorError:
    """Its signer is nobody that it may come from."""
    return _refused(
        f"{name} says that it is signed by the builder {fingerprint_text(signed_by)}, and not by"
        f" {' or '.join(trusted)}",
        "is it the builder you expect? if they have another key now, ask for the public one,"
        " compare its fingerprint by telephone, and name it with --from",
    )


def other_builder_inside(name: str, signed_by: bytes, made_by: bytes) -> OperatorError:
    """Somebody has put his signature in place of the builder's."""
    return _refused(
        f"{name} is signed by {fingerprint_text(signed_by)}, and was sealed by the builder"
        f" {fingerprint_text(made_by)}: somebody has signed what is not theirs",
        "take it from the builder who sealed it, with their signature",
    )


def other_registrar(name: str, meant_for: bytes, given: str) -> OperatorError:
    """It is to another key than ours."""
    return _refused(
        f"{name} is for the registrar {fingerprint_text(meant_for)}, and this key is {given}",
        "open it with that registrar's key, or have it sealed anew --to this one's public key",
    )


def other_form(name: str) -> OperatorError:
    """The signature is good, and what is below it is written otherwise than by us."""
    return _refused(
        f"{name} is a sealed file of another form than this jrc knows",
        "have it sealed by `jrc handover seal` of this version",
    )


def does_not_open(name: str) -> OperatorError:
    """The signature is good, and the ciphertext is not."""
    return _refused(
        f"{name} does not open with this key, although the signature is good",
        "what sealed it was at fault: have it sealed anew by `jrc handover seal`",
    )


def other_rows(name: str, announced: int) -> OperatorError:
    """The content is not the rows that the cover announces."""
    return _refused(
        f"{name} does not hold the {announced} rows that it announces",
        "what sealed it was at fault: have it sealed anew by `jrc handover seal`",
    )


def expired(name: str, expires_at_s: int, now_ms: int) -> OperatorError:
    """Its time is over."""
    return _refused(
        f"{name} expired at {utc_text(expires_at_s * 1000)}; now is {utc_text(now_ms)}",
        "have it sealed anew; if the clock is wrong, set it (docs/clock.md)",
    )


def lives_too_long(name: str, most_days: int) -> OperatorError:
    """No jrc seals such a file."""
    return _refused(
        f"{name} may be opened for more than {most_days} days, which is longer than any may be",
        "have it sealed anew by `jrc handover seal`, with a shorter --expires",
    )


def from_the_future(name: str, made_at_s: int, now_ms: int) -> OperatorError:
    """One of two clocks is wrong."""
    return _refused(
        f"{name} was made at {utc_text(made_at_s * 1000)}, which is still to come: here it is"
        f" {utc_text(now_ms)}",
        "one of the two clocks is wrong: set this one (docs/clock.md), or have the builder set"
        " theirs and seal anew",
    )
