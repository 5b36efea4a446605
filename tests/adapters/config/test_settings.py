"""Settings: where each may stand, which place wins, and every mistake at once without any secret."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.settings import SECRETS, Settings, load_settings
from daemon.domain.errors import ConfigError
from daemon.domain.mitigation import Mode

HOME = {"HOME": "/home/op"}


def toml(directory: Path, text: str) -> Path:
    path = directory / "runbookd.toml"
    path.write_text(text)
    return path


def mistakes(environ: Mapping[str, str], config: Path | None = None) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_settings(config, {**HOME, **environ})
    assert str(caught.value) == "\n".join(map(str, caught.value.mistakes))
    return [str(mistake) for mistake in caught.value.mistakes]


def test_nothing_said_is_the_contract() -> None:
    settings = load_settings(environ=HOME)
    assert (settings.upstream_url, settings.proxy_host, settings.proxy_port) == (
        "http://127.0.0.1:8317",
        "127.0.0.1",
        8318,
    )
    assert (settings.control_host, settings.control_port, settings.proxy_workers) == ("127.0.0.1", 8319, 1)
    assert (settings.proxy_drain, settings.spool_max, settings.evaluation_interval) == (300.0, 256 * 2**20, 10.0)
    assert (settings.retention_events, settings.retention_rollups) == (7 * 86400, 400 * 86400)
    assert (settings.mitigation_mode, settings.log_level, settings.log_format) == (Mode.AUTO, "info", None)
    assert settings.state_dir == settings.runtime_dir == Path("/home/op/.local/state/runbookd")
    assert settings.database_url_resolved == "sqlite:////home/op/.local/state/runbookd/runbookd.db"
    assert settings.public_url_resolved == "http://127.0.0.1:8319"
    assert settings.alerts_path == packaged("alerts.yaml")
    assert (settings.notify_url_list, settings.control_token, settings.proxy_allow_management) == ((), None, False)
    assert settings.node_id


@pytest.mark.parametrize(
    ("environ", "state", "runtime"),
    [
        ({"STATE_DIRECTORY": "/var/lib/r:/var/lib/other", "RUNTIME_DIRECTORY": "/run/r"}, "/var/lib/r", "/run/r"),
        ({"XDG_STATE_HOME": "/x/state", "XDG_RUNTIME_DIR": "/x/run"}, "/x/state/runbookd", "/x/run/runbookd"),
        ({"XDG_STATE_HOME": "relative"}, "/home/op/.local/state/runbookd", "/home/op/.local/state/runbookd"),
        ({"STATE_DIRECTORY": "/var/lib/r", "RUNBOOKD_STATE_DIR": "/mine"}, "/mine", "/mine"),
        ({"RUNTIME_DIRECTORY": "/run/r", "RUNBOOKD_RUNTIME_DIR": "/mine"}, "/home/op/.local/state/runbookd", "/mine"),
    ],
)
def test_directories_are_systemds_else_the_users(environ: dict[str, str], state: str, runtime: str) -> None:
    settings = load_settings(environ={**HOME, **environ})
    assert (settings.state_dir, settings.runtime_dir) == (Path(state), Path(runtime))


def test_the_alerts_file_is_the_first_that_exists_at_that_moment(tmp_path: Path) -> None:
    system, user = tmp_path / "etc", tmp_path / "xdg" / "runbookd"
    settings = load_settings(environ={"CONFIGURATION_DIRECTORY": str(system), "XDG_CONFIG_HOME": str(tmp_path / "xdg")})
    assert settings.alerts_path == packaged("alerts.yaml")
    for directory in (user, system):
        directory.mkdir(parents=True)
        (directory / "alerts.yaml").touch()
        assert settings.alerts_path == directory / "alerts.yaml"
    assert load_settings(environ={**HOME, "RUNBOOKD_ALERTS_FILE": "/none"}).alerts_path == Path("/none")


def test_the_settings_file_is_the_first_that_exists_unless_one_is_named(tmp_path: Path) -> None:
    system, user = tmp_path / "etc", tmp_path / "xdg" / "runbookd"
    environ = {"CONFIGURATION_DIRECTORY": str(system), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert load_settings(environ=environ).proxy_port == 8318
    for port, directory in ((1, user), (2, system)):
        directory.mkdir(parents=True)
        toml(directory, f"proxy_port = {port}\n")
        assert load_settings(environ=environ).proxy_port == port
    assert load_settings(toml(tmp_path, "proxy_port = 3\n"), environ).proxy_port == 3


def test_environment_beats_secret_file_beats_toml(tmp_path: Path) -> None:
    config = toml(tmp_path, 'upstream_api_key = "of-toml"\nproxy_port = 1\ncontrol_port = 2\n')
    secret = tmp_path / "upstream_api_key"
    environ = {
        "RUNBOOKD_UPSTREAM_API_KEY": "of-env",
        "RUNBOOKD_PROXY_PORT": "3",
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }

    def key() -> str:
        found = load_settings(config, environ | HOME)
        assert (found.proxy_port, found.control_port) == (3, 2)
        assert found.upstream_api_key is not None
        return found.upstream_api_key.get_secret_value()

    secret.write_text("of-file\n")
    assert key() == "of-env"
    environ["RUNBOOKD_UPSTREAM_API_KEY"] = ""  # as in NAME= of an environment file
    assert key() == "of-file"
    secret.unlink()
    assert key() == "of-toml"


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("prefix", ["", "runbookd."])
@pytest.mark.parametrize("variable", ["CREDENTIALS_DIRECTORY", "RUNBOOKD_SECRETS_DIR"])
def test_each_secret_may_stand_in_a_file(name: str, prefix: str, variable: str, tmp_path: Path) -> None:
    value = "sqlite:////of/file" if name == "database_url" else "of-file"
    (tmp_path / f"{prefix}{name}").write_text(f"{value}\n")
    settings = load_settings(environ={**HOME, variable: str(tmp_path)})
    assert getattr(settings, name).get_secret_value() == value
    assert value not in repr(settings) + str(settings)


def test_systemds_directory_may_be_absent(tmp_path: Path) -> None:
    assert load_settings(environ={**HOME, "CREDENTIALS_DIRECTORY": str(tmp_path / "none")}).control_token is None


def test_values_are_read_as_people_write_them(tmp_path: Path) -> None:
    text = 'proxy_allow_management = true\nproxy_drain = "1m30s"\nspool_max = "1GiB"\nlog_level = "WARNING"\n'
    settings = load_settings(
        toml(tmp_path, text),
        {
            **HOME,
            "RUNBOOKD_MITIGATION_MODE": "Shadow",
            "RUNBOOKD_UPSTREAM_URL": "https://proxy.example/base/",
            "RUNBOOKD_CONTROL_HOST": "::1",
            "RUNBOOKD_PROXY_CLIENT_KEYS_FILE": "keys.txt",
            "RUNBOOKD_DATABASE_URL": "postgresql+psycopg://u:p@db/runbookd",
        },
    )
    assert (settings.proxy_allow_management, settings.proxy_drain, settings.spool_max) == (True, 90.0, 2**30)
    assert (settings.log_level, settings.mitigation_mode) == ("warning", Mode.SHADOW)
    assert settings.upstream_url == "https://proxy.example/base"
    assert settings.public_url_resolved == "http://[::1]:8319"
    assert settings.proxy_client_keys_file == Path.cwd() / "keys.txt"
    assert settings.database_url_resolved == "postgresql+psycopg://u:p@db/runbookd"


@pytest.mark.parametrize(
    ("text", "urls"),
    [
        ("json://a", ["json://a"]),
        ("json://a, slack://b/c\nmailto://d?to=x,y", ["json://a", "slack://b/c", "mailto://d?to=x,y"]),
        ("json://a  tgram://1:2/3,", ["json://a", "tgram://1:2/3"]),
    ],
)
def test_notify_urls_are_separated_as_apprise_does(text: str, urls: list[str]) -> None:
    assert load_settings(environ={**HOME, "RUNBOOKD_NOTIFY_URLS": text}).notify_url_list == tuple(urls)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("PROXY_PORT", "0", "should be at least 1"),
        ("PROXY_PORT", "65536", "should be at most 65535"),
        ("PROXY_PORT", "http", "should be a whole number, not 'http'"),
        ("PROXY_WORKERS", "17", "should be at most 16"),
        ("PROXY_DRAIN", "300", "'300' is not a duration; write a number with its unit, such as 30s, 10m, 1h or 7d"),
        ("SPOOL_MAX", "1GB", "'1GB' is not a size; write a whole number with its unit, such as 256MiB"),
        ("EVALUATION_INTERVAL", "0s", "should be above 0"),
        ("PROXY_ALLOW_MANAGEMENT", "maybe", "should be true or false, not 'maybe'"),
        (
            "MITIGATION_MODE",
            "shadw",
            "should be 'shadow', 'ask' or 'auto', not 'shadw'; did you mean 'shadow'?",
        ),
        ("LOG_FORMAT", "xml", "should be 'console' or 'json', not 'xml'"),
        ("NODE_ID", "a b", "should be one word of at most 64 characters, without /"),
        ("UPSTREAM_URL", "127.0.0.1:8317", "should be http://HOST:PORT or https://HOST:PORT"),
        ("UPSTREAM_URL", "http://:8317", "should be http://HOST:PORT or https://HOST:PORT"),
        ("UPSTREAM_URL", "http://h:99999", "should be http://HOST:PORT or https://HOST:PORT"),
        ("UPSTREAM_URL", "http://h\u00e9/", "should be http://HOST:PORT or https://HOST:PORT"),
        (
            "UPSTREAM_URL",
            "http://me:hunter2@h",
            "should be only http(s)://HOST:PORT, without user, password, query or #",
        ),
        (
            "UPSTREAM_URL",
            "http://h?key=hunter2",
            "should be only http(s)://HOST:PORT, without user, password, query or #",
        ),
        (
            "UPSTREAM_URL",
            "http://localhost:8318",
            "is our own proxy port (8318): requests would go round in a circle",
        ),
        ("UPSTREAM_URL", "http://[::1]:8319", "is our own control port (8319): requests would go round in a circle"),
        ("CONTROL_PORT", "8318", "is the proxy's port too (8318)"),
        ("SECRETS_DIR", "/nowhere/at/all", "is not a directory"),
        ("UPSTREAM_API_KEY", "hunter2 hunter2", "holds spaces or other characters that no header can carry"),
        ("DATABASE_URL", "mysql://u:hunter2@h", "should be sqlite:////path/to/file or postgresql+psycopg://…"),
        ("DATABASE_URL", "sqlite:///:memory:", "should be sqlite:////path/to/file or postgresql+psycopg://…"),
        ("PROXY_PROT", "hunter2", "is not a setting; did you mean 'RUNBOOKD_PROXY_PORT'?"),
        ("XYZZY", "hunter2", "is not a setting"),
    ],
)
def test_a_mistake_is_one_line_with_its_place(name: str, value: str, message: str) -> None:
    (line,) = mistakes({f"RUNBOOKD_{name}": value})
    assert line == f"environment: RUNBOOKD_{name}: {message}"
    assert "hunter2" not in line


def test_all_mistakes_are_told_at_once_from_every_place(tmp_path: Path) -> None:
    config = toml(
        tmp_path,
        '# settings\ncontrol_port = "x"\nproxy_prot = 8318\n\n[spool]\nmax = 1\n[[proxy_drain]]\n[traffic]\na = 1\n',
    )
    (tmp_path / "notify_urls").write_bytes(b"\xff")
    (tmp_path / "upstream_api_key").write_text("two words")
    environ = {"RUNBOOKD_PROXY_PORT": "0", "RUNBOOKD_PROXY_WORKER": "2", "RUNBOOKD_SECRETS_DIR": str(tmp_path)}
    assert mistakes(environ, config) == [
        "environment: RUNBOOKD_PROXY_WORKER: is not a setting; did you mean 'RUNBOOKD_PROXY_WORKERS'?",
        f"{tmp_path}/notify_urls: is not UTF-8",
        f"{config}:3: proxy_prot: is not a setting; did you mean 'proxy_port'?",
        f"{config}:5: spool: is not a setting; did you mean 'spool_max'?",
        f"{config}:7: proxy_drain: should be one value, not a list",
        f"{config}:8: traffic: is not a setting",
        f"{tmp_path}/upstream_api_key: holds spaces or other characters that no header can carry",
        "environment: RUNBOOKD_PROXY_PORT: should be at least 1",
        f"{config}:2: control_port: should be a whole number, not 'x'",
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"proxy_port = \n", ":1:14: invalid value"),
        (b"\xff", ": is not UTF-8"),
        (
            b"spool_max = 1000000\n",
            ":1: spool_max: '1000000' is not a size; write a whole number with its unit, such as",
        ),
        (b"proxy_drain = 30.0\n", ":1: proxy_drain: '30.0' is not a duration; write a number with its unit, such as"),
        (None, ": cannot be read: No such file or directory"),
    ],
)
def test_a_bad_file_is_one_mistake(content: bytes | None, message: str, tmp_path: Path) -> None:
    config = tmp_path / "runbookd.toml"
    if content is not None:
        config.write_bytes(content)
    (line,) = mistakes({}, config)
    assert line.startswith(f"{config}{message}")


def test_an_unreadable_secret_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "control_token").mkdir()
    assert mistakes({"RUNBOOKD_SECRETS_DIR": str(tmp_path)}) == [
        f"{tmp_path}/control_token: cannot be read: Is a directory"
    ]


def test_only_load_settings_reads_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("RUNBOOKD_PROXY_PORT", "1")
    monkeypatch.setenv("HOME", "/home/op")
    assert Settings(state_dir=tmp_path, runtime_dir=tmp_path).proxy_port == 8318
    assert load_settings(environ=HOME).proxy_port == 8318
