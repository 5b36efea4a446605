"""Where the rules come from: the alerts file, read again when it changes, and the last good copy when it is broken."""

import logging
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from daemon.adapters.config import alerts_file, secrets
from daemon.adapters.config.settings import Settings
from daemon.adapters.notify.own_address import leads_home
from daemon.domain.errors import ConfigError
from daemon.domain.kinds import Kinds
from daemon.domain.notification import Channel
from daemon.ports import Clock

log = logging.getLogger(__name__)


class AlertsSource:
    """Holds the rules in force. A broken file changes nothing; `errors` says what is wrong with it."""

    def __init__(self, settings: Settings, shelves: Kinds, last_good: Path, clock: Clock) -> None:
        self._settings = settings
        self._shelves = shelves
        self._last_good = last_good
        self._clock = clock
        self._leads_home = partial(leads_home, proxy=(settings.proxy_host, settings.proxy_port))
        self._seen: object = None
        self.config = alerts_file.without_a_file(shelves.rules)
        self.off: tuple[str, ...] = ()
        """The names of rules that are switched off."""
        self.loaded_at: int | None = None
        self.errors: tuple[str, ...] = ()

    def load_first(self) -> None:
        """At the start: the file, else the last good copy, else no rules."""
        if self.reload():
            return
        try:
            self._take(self._last_good)
            log.warning("the last alerts file that loaded is in force: %s", self._last_good)
        except (ConfigError, OSError):
            log.error("no rules are in force")

    def reload(self) -> bool:
        """Reads the file now; whether its rules are in force."""
        path = self._settings.alerts_path
        self._seen = _mark(path)
        try:
            self._take(path)
        except ConfigError as error:
            self.errors = tuple(str(mistake) for mistake in error.mistakes)
            for line in self.errors:
                log.error("%s", line)
            return False
        self.errors = ()
        self._keep_copy(path)
        return True

    def has_changed(self) -> bool:
        """Whether the file is another one than when it was read."""
        return _mark(self._settings.alerts_path) != self._seen

    def receiver_channels(self) -> Mapping[str, Sequence[Channel]]:
        """Those of each receiver, resolved now."""
        return secrets.receiver_channels(self.config, self._settings, self._leads_home)

    def heartbeat_url(self) -> str | None:
        """Where the heartbeat goes, resolved now; a secret."""
        return secrets.heartbeat_url(self.config, self._settings, self._leads_home)

    def _take(self, path: Path) -> None:
        loaded = alerts_file.load(
            path,
            self._shelves,
            secrets=secrets.resolver(self._settings),
            leads_home=self._leads_home,
        )
        for warning in loaded.warnings:
            log.warning("%s", warning)
        self.config, self.off, self.loaded_at = loaded.config, loaded.off, self._clock.now()

    def _keep_copy(self, path: Path) -> None:
        try:
            new = self._last_good.with_suffix(".new")
            new.write_bytes(path.read_bytes())
            new.chmod(0o600)
            new.replace(self._last_good)
        except OSError as error:
            log.warning("no copy of the alerts file could be kept: %s", error)


def _mark(path: Path) -> object:
    try:
        status = path.stat()
    except OSError:
        return path
    return path, status.st_mtime_ns, status.st_size, status.st_ino
