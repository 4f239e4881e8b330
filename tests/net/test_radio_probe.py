"""Whether an interface can be a radio for the installer, asked without changing it."""

import asyncio
from pathlib import Path

import pytest

from jrc.errors import OperatorError
from jrc.net import linuxinstaller
from jrc.net.linuxinstaller import PrivilegeError, check
from jrc.policy.interface import Interface as Found
from jrc.policy.interface import InterfaceKind
from tests.net.bench import NEW, OLD
from tests.net.wpan import Interface, PlayedKernel


def refusal(kernel: PlayedKernel, name: str = "wpan0") -> OperatorError:
    async def run() -> None:
        await check(name, kernel.open_socket)

    with pytest.raises(OperatorError) as caught:
        asyncio.run(run())
    assert caught.value.hint
    return caught.value


def test_the_probe_changes_nothing() -> None:
    """It deletes a key that nobody can have."""
    kernel = PlayedKernel(Interface(keys={(1, 255, 0): (3, OLD), (2, 254, 0): (3, NEW)}))

    async def run() -> None:
        await check("wpan0", kernel.open_socket)

    asyncio.run(run())
    assert len(kernel.wpan.keys) == 2


def test_an_interface_without_a_pan_id_is_not_ready() -> None:
    """Its devices could not be found by their short addresses."""
    error = refusal(PlayedKernel(Interface(pan_id=0xFFFF)))
    assert error.message == "wpan0 has no PAN ID yet"


def test_who_may_not_try_is_told_apart() -> None:
    """Nothing is known then of what the service may do."""
    kernel = PlayedKernel()
    kernel.may_administer = False
    assert isinstance(refusal(kernel), PrivilegeError)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (None, "interface other0 is not there"),
        (InterfaceKind.LOWPAN, "other0 is a 6LoWPAN interface, and keys belong to the radio"),
        (InterfaceKind.OTHER, "other0 is no IEEE 802.15.4 interface (ARPHRD 804)"),
    ],
)
def test_what_is_no_radio_is_said_to_be_what_it_is(
    monkeypatch: pytest.MonkeyPatch, kind: InterfaceKind | None, message: str
) -> None:
    """The kernel says ENODEV to all of them."""

    async def look(name: str) -> Found | None:
        return None if kind is None else Found(name=name, index=3, is_up=True, kind=kind)

    monkeypatch.setattr(linuxinstaller, "look", look)
    assert refusal(PlayedKernel(), "other0").message.startswith(message)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        ("net/thresh", "this kernel has no IEEE 802.15.4 (generic netlink family"),
        ("net/", "link-layer keys can be set in the first network namespace alone"),
        ("", "this kernel has no IEEE 802.15.4 (generic netlink family"),
    ],
)
def test_a_kernel_without_the_family_or_another_namespace_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: str, message: str
) -> None:
    """One file shows only in the first namespace; ProcSubset=pid hides all of them."""
    kernel = PlayedKernel()
    kernel.has_family = False
    if made:
        (tmp_path / "net").mkdir()
    if made.endswith("thresh"):
        (tmp_path / made).touch()
    monkeypatch.setattr(linuxinstaller, "LIMIT_FILE", tmp_path / "net" / "thresh")
    error = refusal(kernel)
    assert error.message.startswith(message)
    assert ("namespace" in error.message) == (made != "net/thresh")


def test_this_very_kernel_is_asked_without_harm() -> None:
    """Loopback is no radio anywhere, and most kernels have no IEEE 802.15.4 at all."""
    with pytest.raises(OperatorError) as caught:
        asyncio.run(check("lo"))
    assert caught.value.hint
