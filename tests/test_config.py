"""The config file: defaults, paths, and one sentence for each mistake."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jrc import config
from jrc.config import Endpoint, Installer, Proxy, Settings
from jrc.errors import OperatorError

CHECKOUT = Path(__file__).parent.parent
CANARY = "9f1c5bd2a7e84436"
_EXEC = "[[installer]]\nnetwork = 'a'\nkind = 'exec'\n"
_ACME = "[[provision.pattern]]\nname = 'acme'\n"
_BOOTS = f"{_ACME}boot = 'a'\n"
_VALUE = "identity = '(?P<value>a)'\n"
_LINUX = "[[installer]]\nnetwork = 'a'\nkind = 'linux'\n"
_PROXY = "[proxy]\ninterface = 'a'\njrc = '[::1]:5'\n"
_RUN = f"{_EXEC}command = ['a']\n"


def refusal(text: str) -> OperatorError:
    """The error that ``text`` gives."""
    with pytest.raises(OperatorError) as caught:
        config.parse(text)
    return caught.value


def uncommented(text: str) -> str:
    """The example with its commented-out keys switched on, but for those that exclude others."""
    others = r"credential|join_rate|interface = \"wpan0|helper"
    return re.sub(rf"^#(?=[\[a-z])(?!{others})", "", text, flags=re.MULTILINE)


def test_an_empty_file_gives_the_defaults_of_a_system() -> None:
    """Every section may be left out."""
    settings = config.parse("")
    assert (Endpoint("::", 5683),) == settings.coap.listen
    assert settings.coap.retransmit_cache
    assert Path("/var/lib/jrc/jrc.db") == settings.database.file
    assert Path("/var/lib/jrc/kek") == settings.keys.kek_file
    assert Path("/var/lib/jrc/jrc.instance") == settings.instance_file
    assert Path("/run/jrc/admin.sock") == settings.admin.socket
    assert Path("/var/lib/jrc") == settings.state_dir
    assert settings.metrics is None
    assert settings.proxy is None
    assert () == settings.installer


def test_the_example_file_is_the_template_and_says_what_the_defaults_are() -> None:
    """``config.example.toml`` is what ``jrc init`` writes for a system."""
    text = (CHECKOUT / "config.example.toml").read_text()
    assert config.example() == text
    example, default = config.parse(text), config.parse("")
    assert default.instance_file == example.instance_file
    assert default == example.model_copy(update={"instance": default.instance})


def test_what_the_example_comments_out_is_valid_and_covers_every_key() -> None:
    """An operator who removes a ``#`` gets what the comment says, and no key goes unmentioned."""
    text = config.example()
    settings = config.parse(uncommented(text))
    assert settings.proxy is not None
    assert settings.proxy.model_fields_set == set(Proxy.model_fields) - {"join_rate_bytes_per_s"}
    assert settings.metrics == config.Metrics()
    assert settings.rollover == config.Rollover()
    (installer,) = settings.installer
    assert installer == Installer(network="lab", kind="exec", command=installer.command)
    assert ("/usr/local/bin/set-keys",) == installer.command
    assert settings.model_fields_set == set(Settings.model_fields)


@pytest.mark.parametrize("name", ["plain", 'with "quotes" and spaces', "ünï\\code", "tab\tbed"])
def test_the_example_for_a_folder_keeps_everything_in_it(name: str) -> None:
    """``jrc init --dir DIR`` needs no root, whatever the folder is called."""
    folder = Path("/srv") / name
    settings = config.parse(config.example(folder))
    files = [settings.database.file, settings.keys.kek_file, settings.instance_file]
    assert [folder] * 4 == [f.parent for f in [*files, settings.admin.socket] if f is not None]


def test_relative_paths_start_at_the_folder_of_the_config_file() -> None:
    """The same file works from any working folder."""
    text = '[database]\nurl = "sqlite:///jrc.db"\n[keys]\nkek_file = "sub/kek"\n'
    settings = config.parse(text, path="/etc/lab/config.toml")
    assert settings.database.url == "sqlite:////etc/lab/jrc.db"
    assert Path("/etc/lab/sub/kek") == settings.keys.kek_file
    assert Path("/etc/lab/jrc.instance") == settings.instance_file


def test_a_database_server_needs_a_place_for_the_instance_file() -> None:
    """There is no database file to put it beside."""
    server = '[database]\nurl = "postgresql://jrc@db/jrc"\n'
    assert "instance.file is needed" in refusal(server).message
    settings = config.parse(server + '[instance]\nfile = "/var/lib/jrc/here"\n')
    assert Path("/var/lib/jrc/here") == settings.instance_file
    assert Path("/var/lib/jrc") == settings.state_dir


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[::]:5683", Endpoint("::", 5683)),
        ("[2001:DB8:0::1]:0", Endpoint("2001:db8::1", 0)),
        ("[fe80::1%eth0.5]:5683", Endpoint("fe80::1", 5683, "eth0.5")),
        ("127.0.0.1:65535", Endpoint("127.0.0.1", 65535)),
    ],
)
def test_an_endpoint_is_read_and_written_back(text: str, expected: Endpoint) -> None:
    """Host, port and zone come apart, and together again."""
    assert expected == config.endpoint(text)
    assert expected == config.endpoint(str(expected))


@given(st.text(max_size=60))
def test_any_text_is_an_endpoint_or_a_value_error(text: str) -> None:
    """Nothing else comes out of a wrong address."""
    try:
        assert config.endpoint(text) == config.endpoint(str(config.endpoint(text)))
    except ValueError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        ("[coap]\nlistne = 1", "coap.listne is not a known key", "coap.listen?"),
        ("listen = 1", "listen is not a known key", "coap.listen?"),
        ("[lgo]", "lgo is not a known key", "log?"),
        ("[[installer]]\nnetwrk = 1", "installer[0].netwrk is not a known key", "installer.netw"),
        ("[zzz]", "zzz is not a known key", "config.example.toml"),
        ("coap = 1", "coap must be a section, not a whole number", ""),
        ("[[proxy]]", "proxy must be a section, not a list", ""),
        ("[coap]\nlisten = 'x'", "coap.listen must be a list, not a string", ""),
        ("[coap]\nlisten = []", "coap.listen must not be empty", ""),
        ("[coap]\nlisten = [1]", "coap.listen[0] must be a string such as", ""),
        ("[coap]\nlisten = ['1.2.3.4:5']", "coap.listen[0] must be an IPv6 address", ""),
        ("[coap]\nlisten = ['[ff02::1]:5']", "coap.listen[0] is a multicast address", ""),
        ("[coap]\nlisten = ['[fe80::1]:5']", "coap.listen[0] is a link-local address", ""),
        ("[coap]\nlisten = ['[::]:65536']", "coap.listen[0] must be an address and a port", ""),
        ("[coap]\nlisten = ['[::1]:5', '[::1]:5']", "coap.listen names one address and port", ""),
        ("[coap]\nlisten = ['[::]:5', '[::1]:5']", "coap.listen names a port at every", ""),
        ("[coap]\nlisten = ['[fe80::1%a]:5', '[::]:5']", "coap.listen names a port at ev", ""),
        ("[coap]\nretransmit_cache = 1", "must be true or false, not a whole number", ""),
        (
            "[database]\nurl = 'postgres://jrc@db/jrc'",
            'database.url must begin with "sqlite:///" or "postgresql+psycopg://"',
            "",
        ),
        ("[database]\nurl = 'sqlite:///:memory:'", "database.url must name a plain file", ""),
        ("[database]\nurl = 3", "database.url must be a string, not a whole number", ""),
        ("[keys]\nkek_file = 3", "keys.kek_file must be a string with a path", ""),
        ("[keys]\nkek_file = ''", "keys.kek_file must be the path of a file", ""),
        ("[keys]\nkek_file = 'a'\ncredential = 'b'", "keys.credential exclude each other", ""),
        ("[keys]\ncredential = '../x'", "keys.credential holds characters", ""),
        (f"[admin]\nsocket = '/{'a' * 107}'", "admin.socket is longer than the 107 bytes", ""),
        ("[admin]\nsocket = '/var/lib/jrc/jrc.db'", "database.url and admin.socket name", ""),
        ("[log]\nlevel = 'loud'", "log.level must be one of 'debug', 'info',", ""),
        ("[log]\nlevel = 1979-05-27", "'error', not a date or time", ""),
        ("[log]\nlevel = 'x'\nformat = 'y'", "log.level must be one of", "1 more beside"),
        ("[rollover]\nquorum = 1.5", "rollover.quorum is out of bounds", ""),
        ("[rollover]\nguard_time_s = inf", "rollover.guard_time_s", ""),
        ("[proxy]\ninterface = 'a'", "proxy.jrc is missing", "add it"),
        ("[proxy]\ninterface = 'a'\njrc = '[::]:5'", "proxy.jrc must name one address", ""),
        (
            "[proxy]\ninterface = 'a'\njrc = '[::1]:5'\npledge_id = '00'",
            "proxy.pledge_id and proxy.psk_file go together",
            "",
        ),
        (f"{_PROXY}network_id = 'cafe'", "proxy.network_id and proxy.state_file go with", ""),
        (f"{_PROXY}join_rate_bytes_per_s = -1", "proxy.join_rate_bytes_per_s is out of", ""),
        (f"{_PROXY}network_id = 'xyz'", "proxy.network_id must be a network identifier", ""),
        ("[[installer]]\nnetwork = 'a'\nkind = 'exec'", "installer.command belongs to", ""),
        (f"{_EXEC}command = []", "installer[0].command must not be empty", ""),
        (f"{_EXEC}command = ['']", "installer[0].command must begin with a program", ""),
        (f"{_EXEC}command = 'a'", "installer[0].command must be a list, not a string", ""),
        (f"{_EXEC}command = ['a', 1]", "installer[0].command[1] must be a string", ""),
        (f'{_EXEC}command = ["a", "\\u0000"]', "installer[0].command[1] holds a zero byte", ""),
        (f"{_RUN}name = 'a b'", "installer[0].name holds characters", ""),
        (f"{_RUN}timeout_s = 241", "installer[0].timeout_s is out of bounds", ""),
        (f"{_RUN}retry_s = 9\nretry_max_s = 8", "installer.retry_max_s is less than", ""),
        (f"{_RUN}interface = 'a'", "installer.interface belongs to", ""),
        (_LINUX, "installer.interface belongs to", ""),
        (f"{_LINUX}interface = 'a b'", "installer[0].interface holds characters", ""),
        (f"{_LINUX}interface = 'a'\ncommand = ['b']", "installer.command belongs to", ""),
        (f"{_RUN}helper = '/a'", "installer.helper belongs to", ""),
        ("[metrics]\nhosts = ['a b']", "metrics.hosts[0] holds characters", ""),
        (
            f"{_LINUX}interface = 'a'\n{_LINUX}interface = 'a'\nname = 'b'",
            "installer.interface: one radio is given to two installers",
            "",
        ),
        (f"{_ACME}boot = '('", "provision.pattern[0].boot must be a regular expression", ""),
        (f"{_ACME}boot = 'a*'", "provision.pattern[0].boot matches an empty line", ""),
        (f"{_ACME}boot = ''", "provision.pattern[0].boot must not be empty", ""),
        (f"{_ACME}device_id = 'a'", "provision.pattern[0].boot is missing", ""),
        (f"{_BOOTS}device_id = 'a'", "provision.pattern[0].device_id lacks the group (?P<va", ""),
        (f"{_BOOTS}identity = '(a)'", "provision.pattern[0].identity lacks the group (?P<va", ""),
        (_BOOTS, "provision.pattern needs device_id or identity", ""),
        (f"{_BOOTS}{_VALUE}{_BOOTS}{_VALUE}", "provision.pattern: two of them have one name", ""),
        (f"{_BOOTS}{_VALUE}name_ = 'a'", "provision.pattern[0].name_ is not a known key", ""),
        (f"{_RUN}{_RUN}", "installer.name: two installers of one network need names", ""),
        ("a = [", "config.toml is not valid TOML:", "mend"),
        ("x = 1\nx = 2\ny = 3", "(at line 2, column 6)", "mend"),
        ("a = " + "[" * 9999, "not valid TOML: nested too deeply", "mend"),
    ],
)
def test_a_mistake_gives_one_sentence_with_the_key(text: str, sentence: str, hint: str) -> None:
    """The operator reads the key's dotted name, what it wants and what it got."""
    error = refusal(text)
    assert sentence in error.message
    assert hint in error.hint
    assert "\n" not in error.message
    assert error.message.startswith("config.toml")


def test_the_example_names_the_server_that_was_asked_for(tmp_path: Path) -> None:
    """Its instance file stays on this host."""
    url = "postgresql+psycopg://jrc@db.example.org/jrc"
    made = config.parse(config.example(tmp_path, url), path=str(tmp_path / "config.toml"))
    assert (url, None) == (made.database.url, made.database.file)
    assert tmp_path / "jrc.instance" == made.instance_file


def test_an_installers_program_is_found_beside_the_config_file_or_in_path(tmp_path: Path) -> None:
    """As any file that the config names; a bare name is looked for where programs are."""
    text = f"{_EXEC}command = ['./set', './as it is']\n{_EXEC}name = 'b'\ncommand = ['set']\n"
    first, second = config.parse(text, path=str(tmp_path / "config.toml")).installer
    assert (str(tmp_path / "set"), "./as it is") == first.command
    assert ("set",) == second.command
    assert ("exec", "b") == (first.name, second.name)


def keys_with_a_value() -> list[str]:
    """The lines of the example that set a key, under their section's header."""
    section, found = "", []
    for line in uncommented(config.example()).replace("#credential", "credential").splitlines():
        if line.startswith("["):
            section = line
        elif "=" in line and not line.startswith("#"):
            found.append(f"{section}\n{line.partition('=')[0]}")
    return found


@pytest.mark.parametrize("key", keys_with_a_value())
@pytest.mark.parametrize(
    "value", ["'{}!/'", "['{}']", "{{ {} = '{}' }}", "[['{}']]", "'pg://u:{}@h'"]
)
def test_no_error_repeats_what_stood_in_the_wrong_place(key: str, value: str) -> None:
    """Somebody pastes a key into the wrong line; the error goes to logs and tickets."""
    try:
        config.parse(f"{key} = {value.format(CANARY, CANARY)}")
    except OperatorError as error:
        assert CANARY not in error.message.replace(f".{CANARY} is not a known key", "")
        assert CANARY not in error.hint


def test_settings_do_not_print_the_password_of_the_database() -> None:
    """A URL may hold one, and settings end up in tracebacks."""
    url = f"postgresql://jrc:{CANARY}@db/jrc"
    settings = config.parse(f'[database]\nurl = "{url}"\n[instance]\nfile = "/x"')
    assert url == settings.database.url
    assert CANARY not in repr(settings)


def test_the_config_file_is_found_in_the_stated_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``--config``, ``$JRC_CONFIG``, ``./config.toml``, ``/etc/jrc/config.toml``."""
    assert (Path("config.toml"), Path("/etc/jrc/config.toml")) == config.SEARCHED
    system = tmp_path / "etc.toml"
    monkeypatch.setattr("jrc.config.reading.SEARCHED", (Path("config.toml"), system))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OperatorError, match="no config file: looked for"):
        config.find(None, {})
    system.touch()
    assert system == config.find(None, {})
    Path("config.toml").touch()
    assert Path("config.toml") == config.find(None, {})
    assert Path("/b") == config.find(None, {"JRC_CONFIG": "/b"})
    assert Path("/a") == config.find("/a", {"JRC_CONFIG": "/b"})


def test_a_file_that_is_another_users_says_who_may_read_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also one in a folder that says to nobody else whether it is there, as /etc/jrc may be."""

    def denied(*_given: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    place = tmp_path / "jrc" / "config.toml"
    monkeypatch.setattr("jrc.config.reading.SEARCHED", (place,))
    monkeypatch.setattr(Path, "is_file", denied)
    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(OperatorError) as caught:
        config.load(config.find(None, {}))
    assert caught.value.message == f"{place} can't be read: Permission denied"
    assert "root" in caught.value.hint


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    """Missing, a folder, or no text: each is one sentence with the path."""
    for path in (tmp_path / "missing.toml", tmp_path):
        with pytest.raises(OperatorError, match="can't be read") as caught:
            config.load(path)
        assert str(path) in caught.value.message
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"a = '\xff'")
    with pytest.raises(OperatorError, match="not UTF-8"):
        config.load(binary)
    binary.write_text("[log]\nlevel = 'debug'")
    assert config.load(binary).log.level == "debug"
