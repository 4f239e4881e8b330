"""The key files of ``jrc handover``: made, named, refused."""

import stat

import pytest

from jrc.errors import ExitCode
from jrc.handover.role import Role
from tests.cli.handing_over import Bench, bench
from tests.cli.terminal import one_sentence

__all__ = ["bench"]


@pytest.mark.parametrize("who", ["registrar", "builder"])
def test_a_key_that_others_can_read_is_refused(bench: Bench, who: str) -> None:
    """Whoever has read it can open, or sign."""
    bench.seal()
    (bench.folder / f"{who}.key").chmod(0o640)
    done = bench.open() if who == "registrar" else bench.seal("c.sealed")
    one_sentence(done, ExitCode.REFUSED)
    assert "can be read by others (mode 0640)" in done.err
    assert "chmod 600" in done.err


def test_a_public_key_that_others_can_write_to_is_refused(bench: Bench) -> None:
    """Whoever has put their own in its place seals devices of their own."""
    bench.seal()
    (bench.folder / "builder.key.pub").chmod(0o664)
    done = bench.open()
    one_sentence(done, ExitCode.REFUSED)
    assert "can be written to by others (mode 0664)" in done.err
    assert bench.ends().builder.public.fingerprint in done.err
    assert "chmod go-w" in done.err


def test_a_public_key_in_the_place_of_a_private_one_is_called_so(bench: Bench) -> None:
    """Not one that others can read: that it is for."""
    bench.seal()
    words = ("--key", bench.at("registrar.key.pub"), "--from", bench.at("builder.key.pub"))
    done = bench.terminal.jrc("handover", "open", bench.at("b.sealed"), *words)
    assert done.code == ExitCode.USAGE
    assert "it is a public key; name the file without .pub" in done.err


def test_a_command_that_is_told_is_safe_to_copy(bench: Bench) -> None:
    """A file name may have a blank in it."""
    (bench.folder / "registrar.key").rename(bench.folder / "my key")
    (bench.folder / "my key").chmod(0o644)
    bench.seal()
    words = ("--key", bench.at("my key"), "--from", bench.at("builder.key.pub"))
    done = bench.terminal.jrc("handover", "open", bench.at("b.sealed"), *words)
    assert f"chmod 600 '{bench.at('my key')}'" in done.err


def test_wrong_key_files_are_named(bench: Bench) -> None:
    """A public key for a private one, a builder's for a registrar's, none at all, a big file."""
    bench.seal()
    (bench.folder / "big").write_bytes(bytes(5000))
    (bench.folder / "big").chmod(0o600)
    for key, said in (
        ("builder.key", "is the key of a builder"),
        ("none.key", "can't be read (No such file or directory)"),
        ("big", "that is no key file"),
    ):
        words = ("--key", bench.at(key), "--from", bench.at("builder.key.pub"))
        done = bench.terminal.jrc("handover", "open", bench.at("b.sealed"), *words)
        assert done.code == ExitCode.USAGE
        assert said in done.err


def test_keys_are_those_of_the_config_where_none_is_named(bench: Bench) -> None:
    """And a sentence says what is missing, for each."""
    bench.seal()
    words = ("handover", "open", bench.at("b.sealed"))
    config = bench.terminal.config
    before = config.read_text()
    assert "--key is missing, and handover.key is not set" in bench.terminal.jrc(*words).err
    with_key = f'{before}\n[handover]\nkey = "{bench.at("registrar.key")}"\n'
    config.write_text(with_key)
    done = bench.terminal.jrc(*words)
    assert (done.code, "--from is missing" in done.err) == (ExitCode.USAGE, True)
    config.write_text(f'{with_key}builders = ["{bench.at("builder.key.pub")}"]\n')
    over = ("handover", "keygen", "--for", "builder", "--out", bench.at("registrar.key"))
    assert "is the registrar's key file; nothing was written" in bench.terminal.jrc(*over).err
    assert bench.terminal.jrc(*words).code == 0


def test_keygen_makes_two_files_and_never_replaces_one(bench: Bench) -> None:
    """The private key is its owner's alone; the fingerprint is on standard output."""
    for role in Role:
        private, public = bench.folder / f"{role}.key", bench.folder / f"{role}.key.pub"
        assert stat.S_IMODE(private.stat().st_mode) == 0o600
        assert stat.S_IMODE(public.stat().st_mode) == 0o644
        before = private.read_bytes()
        again = bench.away("handover", "keygen", "--for", role, "--out", str(private))
        one_sentence(again, ExitCode.REFUSED)
        assert "is there already; nothing was made" in again.err
        private.rename(bench.folder / "moved")
        again = bench.away("handover", "keygen", "--for", role, "--out", str(private))
        assert f"{public} is there already" in again.err
        assert not private.exists()
        assert (bench.folder / "moved").read_bytes() == before
        (bench.folder / "moved").rename(private)
    shown = bench.away("handover", "keygen", "--for", "builder", "--out", bench.at("k"), "--json")
    assert set(shown.json) == {"role", "private_key", "public_key", "fingerprint"}


def test_no_private_key_is_called_as_a_public_one(bench: Bench) -> None:
    """It would be sent away."""
    done = bench.away("handover", "keygen", "--for", "builder", "--out", bench.at("x.pub"))
    assert done.code == ExitCode.USAGE
    assert "this one gets the private key" in done.err
    assert not (bench.folder / "x.pub").exists()
