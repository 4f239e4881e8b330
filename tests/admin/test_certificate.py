"""Certificates that are of no use, and what an operator is told of them."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from jrc.admin import certificate
from jrc.admin.certificate import Certificate
from jrc.errors import OperatorError
from tests.certificates import Files, self_signed


def _world_readable(files: Files) -> None:
    files.private_key.chmod(0o604)


def _no_key(files: Files) -> None:
    files.private_key.write_text("nothing")


def _no_certificate(files: Files) -> None:
    files.certificate.write_text("nothing")


def _gone(files: Files) -> None:
    files.private_key.unlink()


def _sealed(files: Files) -> None:
    self_signed(files.private_key.parent, passphrase=b"secret")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_world_readable, "everybody can get at"),
        (_no_key, "do not make a pair"),
        (_no_certificate, "holds no certificate"),
        (_gone, "can't be read"),
        (_sealed, "do not make a pair"),
    ],
)
def test_files_that_are_of_no_use_are_one_sentence(
    tmp_path: Path, spoil: Callable[[Files], None], said: str
) -> None:
    """With the key of the config file, the file, and what to do; nobody is asked anything."""
    files = self_signed(tmp_path)
    spoil(files)
    with pytest.raises(OperatorError, match=r"api\.") as caught:
        Certificate(*files)
    assert said in caught.value.message
    assert caught.value.hint


def test_a_key_that_goes_while_it_is_looked_at_is_an_error_of_the_operators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever renews a certificate moves files; any other error would end the daemon."""
    files = self_signed(tmp_path)
    found = Certificate(files.certificate, files.private_key)
    monkeypatch.setattr(certificate, "_mark_of", lambda _key, _path: (0, 0, 0))
    files.private_key.unlink()
    with pytest.raises(OperatorError, match="can't be read"):
        found.look()


def test_a_certificate_of_no_known_version_is_an_error_of_the_operators(tmp_path: Path) -> None:
    """So is all else that is in a PEM file and is no certificate that can be used."""
    files = self_signed(tmp_path)
    der = ssl.PEM_cert_to_DER_cert(files.certificate.read_text())
    version_3, version_6 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"
    assert der.count(version_3) == 1
    files.certificate.write_text(ssl.DER_cert_to_PEM_cert(der.replace(version_3, version_6)))
    with pytest.raises(OperatorError, match="holds no certificate"):
        Certificate(files.certificate, files.private_key)
