"""What two registrars on one database have in common."""

from tests.daemon.wire import OddPledge
from tests.desk import pledge_id
from tests.joining import Hall


def commits(hall: Hall) -> int:
    return hall.database.read_instance().commit_number


def enrolled(*halls: Hall, number: int = 1, **more: object) -> OddPledge:
    """A pledge that every one of them knows of."""
    pledge = halls[0].enroll(number, **more)
    for hall in halls[1:]:
        hall.contexts.learn([pledge_id(number).value])
    return pledge
