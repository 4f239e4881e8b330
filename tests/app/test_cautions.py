"""What the daemon warns of at its start."""

import os
from collections.abc import Callable
from typing import Any, cast

import pytest

from jrc import config
from jrc.app.cautions import cautions
from jrc.opened import Opened


class Site:
    """As ``Opened``, as far as it is looked at; with no pledge of a lab."""

    settings = config.parse("")

    def read(self, _work: Callable[[Any], Any]) -> int:
        return 0


@pytest.mark.parametrize(("user", "events"), [(0, ["running_as_root"]), (1000, [])])
def test_who_runs_it_as_root_is_warned(
    monkeypatch: pytest.MonkeyPatch, user: int, events: list[str]
) -> None:
    """Nothing that it does needs root, and files that root makes are in the service's way."""
    monkeypatch.setattr(os, "geteuid", lambda: user)
    said = list(cautions(cast(Opened, Site())))
    assert events == [event for event, _ in said]
    assert all("user" in str(fields["hint"]) for _, fields in said)
