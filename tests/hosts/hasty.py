"""``jrc`` whose tokens are stale after a moment, so that a test need not wait minutes."""

import sys

from jrc.coap import token

FRESHNESS_MS = 300


if __name__ == "__main__":
    defaults: dict[str, int] = token.TokenSealer.__init__.__kwdefaults__  # type: ignore[assignment]
    assert token.FRESHNESS_MS == defaults["freshness_ms"]
    defaults["freshness_ms"] = FRESHNESS_MS
    from jrc.cli.main import main

    sys.exit(main())
