"""The API on TCP: its certificate, and tokens that are good for ever."""

from collections.abc import Iterator, Mapping
from typing import Final

from jrc.admin.certificate import Certificate
from jrc.cli.diagnosis.case import Case
from jrc.cli.diagnosis.verdict import Verdict, failure, skipped, success, warning
from jrc.service.wording import duration, utc_text

EXPIRES_SOON_S: Final = 21 * 86_400
_REPLACE: Final = "put a new one in its place; the daemon takes it within seconds"


def look_at_api(case: Case) -> Iterator[Verdict]:
    """The files of [api], as the daemon reads them, and what the daemon tells of it."""
    section = case.settings.api
    if section is None:
        yield skipped("the API is on the admin socket alone: there is no [api] (docs/api.md)")
        return
    certificate = Certificate(section.certificate, section.private_key)
    yield _age(certificate.expires_at_ms, case.clock.now_ms())
    told = case.daemon.part("api")
    if told.get("error"):
        yield warning(f"the daemon does not take the certificate: {told['error']}", _REPLACE)
    yield from _tokens(told)


def _age(expires_at_ms: int, now_ms: int) -> Verdict:
    left_s = (expires_at_ms - now_ms) / 1000
    if left_s <= 0:
        return failure(f"the certificate ended: {utc_text(expires_at_ms)}", _REPLACE)
    if left_s < EXPIRES_SOON_S:
        return warning(f"the certificate ends in {duration(left_s)}", _REPLACE)
    return success(f"the certificate is good until {utc_text(expires_at_ms)}")


def _tokens(told: Mapping[str, object]) -> Iterator[Verdict]:
    lasting = told.get("tokens_without_end")
    if isinstance(lasting, list) and lasting:
        yield warning(
            f"good for ever: {', '.join(map(str, lasting))}",
            "give whoever has it one with an end: `jrc token add NAME --expires 365d`, then"
            " `jrc token revoke` the other",
        )
