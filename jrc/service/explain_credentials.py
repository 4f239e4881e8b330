"""What the keys that a pledge has and had say of a device that does not verify."""

from collections.abc import Iterator

from jrc.service.records import CredentialState, PledgeRecord
from jrc.service.registry import Registry
from jrc.service.wording import utc_text


def sentences_of_credentials(tx: Registry, record: PledgeRecord) -> Iterator[str]:
    """A device that was flashed since, or was not, fails although its identifier is in order."""
    history = tx.credentials.history(record.id)
    former = [each for each in history if each.state is CredentialState.SUPERSEDED]
    if former:
        since = utc_text(max(each.retired_at_ms or 0 for each in former))
        yield f"Its key was replaced at {since}: a device with a former one does not verify."
    for each in history:
        if each.id == record.candidate_id:
            yield (
                f"A key waits for its next firmware since {utc_text(each.created_at_ms)}: from its"
                " first join with that one on, a device with the one before does not verify."
            )
