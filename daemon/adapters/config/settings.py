"""Settings: the environment, then files of secrets, then `runbookd.toml`, then defaults; every mistake at once."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from daemon.adapters.config import directories
from daemon.adapters.config.packaged import packaged
from daemon.adapters.config.settings_sources import PREFIX, Found, from_environment, from_secrets, from_toml
from daemon.adapters.config.settings_types import AnyCase, Database, HttpUrl, Key, Name, Place, Port, split_urls
from daemon.adapters.config.wording import say
from daemon.domain.errors import ConfigError, Mistake
from daemon.domain.mitigation import Mode
from daemon.domain.units import Duration, Size

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "0.0.0.0", "::"})
SECRETS = ("upstream_api_key", "upstream_management_key", "control_token", "notify_urls", "database_url")
"""What may stand in a file of SECRETS_DIR."""


class Settings(BaseSettings):
    """Every setting. Made by `load_settings`, which alone reads the sources, so that each mistake has its place."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    upstream_url: HttpUrl = "http://127.0.0.1:8317"
    upstream_api_key: Key | None = None
    """For canaries and the model inventory."""
    upstream_management_key: Key | None = None
    """For quota, toggles and credentials; without it those features report themselves absent."""
    proxy_host: str = "127.0.0.1"
    proxy_port: Port = 8318
    proxy_workers: int = Field(1, ge=1, le=16)
    control_host: str = "127.0.0.1"
    control_port: Port = 8319
    control_token: Key | None = None
    """Made at first start, in the state directory, unless it is set."""
    notify_urls: SecretStr | None = None
    """Apprise URLs of the first receiver."""
    public_url: HttpUrl | None = None
    """What links in messages point to."""
    state_dir: Place
    runtime_dir: Place
    secrets_dir: Place | None = None
    database_url: Database | None = None
    alerts_file: Place | None = None
    mitigation_mode: Annotated[Mode, AnyCase] = Mode.AUTO
    """A ceiling: the alerts file can only lower it."""
    proxy_drain: Duration = 300.0
    spool_max: Size = 256 << 20
    proxy_allow_management: bool = False
    proxy_client_keys_file: Place | None = None
    node_id: Name = Field(default_factory=socket.gethostname)
    retention_events: Duration = 7 * 86400.0
    retention_rollups: Duration = 400 * 86400.0
    evaluation_interval: Duration = Field(10.0, gt=0)
    log_level: Annotated[Literal["debug", "info", "warning", "error"], AnyCase] = "info"
    log_format: Annotated[Literal["console", "json"] | None, AnyCase] = None
    """Console on a terminal, else JSON."""

    _alerts_files: tuple[Path, ...] = PrivateAttr(default=())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)

    @property
    def database_url_resolved(self) -> str:
        """The database, by default a SQLite file in the state directory."""
        if self.database_url is not None:
            return self.database_url.get_secret_value()
        return f"sqlite:///{self.state_dir / 'runbookd.db'}"

    @property
    def public_url_resolved(self) -> str:
        """Without a slash at its end."""
        host = f"[{self.control_host}]" if ":" in self.control_host else self.control_host
        return self.public_url or f"http://{host}:{self.control_port}"

    @property
    def notify_url_list(self) -> tuple[str, ...]:
        """NOTIFY_URLS, one by one."""
        return split_urls(self.notify_urls.get_secret_value()) if self.notify_urls is not None else ()

    @property
    def alerts_path(self) -> Path:
        """ALERTS_FILE, else the first that exists now, so that a reload finds a new one, else the packaged file."""
        existing = (path for path in self._alerts_files if path.is_file())
        return self.alerts_file or next(existing, packaged("alerts.yaml"))

    def looking_in(self, alerts_files: tuple[Path, ...]) -> Self:
        """Sets where an alerts file may stand when ALERTS_FILE does not say."""
        self._alerts_files = alerts_files
        return self


def load_settings(config: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process; `config` is a file of them, else the first of the usual ones. Raises `ConfigError`
    with every mistake; none shows the value of a secret."""
    environ = os.environ if environ is None else environ
    config = directories.settings_file(environ) if config is None else config
    found = from_environment(environ, Settings.model_fields)
    file = from_toml(config, Settings.model_fields) if config is not None else Found()
    if secrets := found.values.get("secrets_dir") or file.values.get("secrets_dir") or directories.secrets_dir(environ):
        found.under(from_secrets(Path(secrets).expanduser(), SECRETS))
    found.under(file)
    try:
        settings = Settings.model_validate(_defaults(found.values, environ) | found.values)
    except ValidationError as error:
        found.mistakes += [_mistake(found, str(one["loc"][0]), say([one])) for one in error.errors()]
    else:
        found.mistakes += [_mistake(found, name, message) for name, message in _contradictions(settings, found)]
        if not found.mistakes:
            return settings.looking_in(directories.alerts_files(environ))
    raise ConfigError(found.mistakes)


def _defaults(given: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str | None]:
    state = given.get("state_dir") or directories.state_dir(environ)
    return {
        "state_dir": state,
        "runtime_dir": directories.runtime_dir(environ, state),
        "secrets_dir": directories.secrets_dir(environ),
    }


def _contradictions(settings: Settings, found: Found) -> list[tuple[str, str]]:
    """What is wrong between settings that are each right."""
    wrong = []
    if "secrets_dir" in found.values and settings.secrets_dir is not None and not settings.secrets_dir.is_dir():
        wrong.append(("secrets_dir", "is not a directory"))
    if settings.proxy_port == settings.control_port and _meet(settings.proxy_host, settings.control_host):
        wrong.append(("control_port", f"is the proxy's port too ({settings.proxy_port})"))
    upstream = urlsplit(settings.upstream_url)
    port = upstream.port or (443 if upstream.scheme == "https" else 80)
    for door, (host, own_port) in {
        "proxy": (settings.proxy_host, settings.proxy_port),
        "control": (settings.control_host, settings.control_port),
    }.items():
        if port == own_port and _meet(upstream.hostname or "", host):
            wrong.append(("upstream_url", f"is our own {door} port ({port}): requests would go round in a circle"))
    return wrong


def _meet(host: str, other: str) -> bool:
    return host == other or (host in LOOPBACK and other in LOOPBACK)


def _mistake(found: Found, name: str, message: str) -> Mistake:
    place = found.places.get(name)
    if place is None:
        return Mistake(source="settings", path=f"{PREFIX}{name.upper()}", message=message)
    return place.mistake(message)
