"""Whom a command names as the one to give it, where the database is a service's."""

import os
import sys

import pytest

from jrc.cli.users import as_user


@pytest.fixture(autouse=True)
def _command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["jrc", "network", "list"])


@pytest.mark.parametrize("uid", [61184, 65519])
def test_a_user_that_is_there_for_a_service_alone_is_nobody_to_become(uid: int) -> None:
    """systemd.exec(5), DynamicUser=: while it is stopped there is no such user."""
    expected = "systemctl stop jrc.socket jrc.service; sudo jrc-offline network list"
    assert expected == as_user(uid)


@pytest.mark.parametrize("uid", [61183, 65520, os.geteuid()])
def test_any_other_user_is_named(uid: int) -> None:
    """By the number where there is no name."""
    assert as_user(uid).startswith("sudo -u ")
    assert as_user(uid).endswith(" jrc network list")
