"""Where a command finds a registrar on another host, and what it shows there."""

from pathlib import Path

import httpx
import pytest

from jrc.cli.remote import Remote
from jrc.errors import ExitCode, OperatorError

TOKEN = "jrc_" + "x" * 43


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://router.example.org", "https://router.example.org:9633"),
        ("https://router.example.org/", "https://router.example.org:9633"),
        ("https://router.example.org:443", "https://router.example.org:443"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]:9633"),
        ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
    ],
)
def test_the_port_may_be_left_out(url: str, base: str) -> None:
    """It is that of [api], where the config file names no other."""
    assert Remote(url).base_url == base


@pytest.mark.parametrize(
    "url",
    [
        "http://router.example.org",
        "router.example.org",
        "https://",
        f"https://{TOKEN}@router.example.org",
        f"https://router.example.org/?token={TOKEN}",
        "https://router.example.org/v1",
        "https://router.example.org/#x",
        "",
    ],
)
def test_a_url_that_is_none_is_refused_and_not_repeated(url: str) -> None:
    """Nothing is sent in the clear; what stands in the wrong place may be a token."""
    with pytest.raises(OperatorError, match="--url is none") as caught:
        _ = Remote(url).base_url
    assert caught.value.exit_code is ExitCode.USAGE
    assert TOKEN not in caught.value.message + caught.value.hint


def test_the_token_is_the_first_line_of_a_file_or_in_the_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file counts where both are there; who may read it is warned of."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\nsecond line\n")
    file.chmod(0o600)
    other = {"JRC_TOKEN": "jrc_" + "y" * 43}
    assert Remote("", str(file)).token(other).reveal() == TOKEN.encode()
    assert Remote("").token(other).reveal() == other["JRC_TOKEN"].encode()
    assert capsys.readouterr().err == ""
    file.chmod(0o644)
    Remote("", str(file)).token(other)
    assert "everybody can read it" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "secret", TOKEN[:-1], TOKEN + "x"])
def test_what_is_no_token_is_not_sent_and_not_repeated(tmp_path: Path, text: str) -> None:
    """It may be another secret, in the wrong file."""
    file = tmp_path / "token"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(OperatorError) as caught:
        Remote("", str(file)).token({})
    assert not text or text not in caught.value.message + caught.value.hint
    with pytest.raises(OperatorError, match="can't be read"):
        Remote("", str(tmp_path / "none")).token({})


def test_a_file_of_authorities_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    """With the option's name."""
    (tmp_path / "ca").write_text("nothing")
    for name in ("ca", "none"):
        with pytest.raises(OperatorError, match=r"--ca: .* can't be used"):
            Remote("", None, str(tmp_path / name)).context()


def test_what_does_not_answer_is_said_with_its_place() -> None:
    """And a certificate with why it does not count."""
    remote = Remote("https://router.example.org")
    lost = remote.unreachable(httpx.ConnectError("Connection refused"))
    assert lost.exit_code is ExitCode.UNREACHABLE
    assert "https://router.example.org:9633 can't be reached (Connection refused)" == lost.message
    doubted = httpx.ConnectError(
        "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch (_ssl.c:1)"
    )
    assert "does not count: Hostname mismatch" in remote.unreachable(doubted).message


def test_a_command_that_connects_again_has_read_its_token_once(tmp_path: Path) -> None:
    """As from standard input, which is at its end then."""
    file = tmp_path / "token"
    file.write_text(TOKEN)
    file.chmod(0o600)
    kept = Remote("https://router.example.org", str(file), "ca.pem").with_token()
    file.unlink()
    assert TOKEN == kept.token().reveal().decode()
    assert ("https://router.example.org:9633", "ca.pem") == (kept.base_url, kept.ca)
    assert TOKEN not in repr(kept)
