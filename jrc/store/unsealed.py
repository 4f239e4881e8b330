"""Values of rows that no MAC covers, such as `node` and `node_update`: one that can't be meant.

It is taken as absent, and the log says so once: what such a row says decides about one node alone,
and must keep nobody else from being told.
"""

from typing import Any

from jrc.store.rowmac import RowMac

MOST = (1 << 63) - 1
"""What a database holds."""
MOST_MS = 1 << 48
"""No clock shows that: times up to it can be added to."""


def whole(mac: RowMac, value: Any, most: int, where: str, who: object, what: str) -> int | None:
    """A number from 0 to ``most``, None for anything else.

    ``where`` is the table, ``who`` its row, and ``what`` the column.
    """
    if value is None or (isinstance(value, int) and 0 <= value <= most):
        return value
    mac.say_left_out(f"{where} {who}: {what}")
    return None
