"""Where things lie: the files of the state directory (survives) and of the runtime directory (does not)."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Places:
    """Directories are 0700, files 0600."""

    state: Path
    runtime: Path

    @property
    def spool(self) -> Path:
        """One SQLite file per proxy worker: `worker-0.db`."""
        return self.state / "spool"

    @property
    def database(self) -> Path:
        return self.state / "runbookd.db"

    @property
    def token(self) -> Path:
        """The bearer token of the control port, made at first start."""
        return self.state / "control.token"

    @property
    def hash_key(self) -> Path:
        """The key under which client keys and turn ids are hashed."""
        return self.state / "hash.key"

    @property
    def canary_secret(self) -> Path:
        """What marks a request as our own canary."""
        return self.state / "canary.secret"

    @property
    def approval_key(self) -> Path:
        """What the secrets of approval links are made of."""
        return self.state / "approval.key"

    @property
    def control_lock(self) -> Path:
        return self.state / "control.lock"

    @property
    def last_good_alerts(self) -> Path:
        """The last alerts file that loaded."""
        return self.state / "alerts.last-good.yaml"

    @property
    def journal_copy(self) -> Path:
        """Open mitigations, read only when the store is gone."""
        return self.state / "journal.json"

    @property
    def routes(self) -> Path:
        return self.runtime / "routes.json"

    @property
    def spool_ack(self) -> Path:
        return self.runtime / "spool.ack"

    @property
    def providers(self) -> Path:
        """The snapshot behind the proxy port's `/v1/metrics/providers`."""
        return self.runtime / "providers.json"

    @property
    def control_socket(self) -> Path:
        """A datagram here wakes the control plane's ingest."""
        return self.runtime / "control.sock"

    def proxy_socket(self, worker: int) -> Path:
        """A datagram here makes a proxy worker read `routes.json` again."""
        return self.runtime / f"proxy-{worker}.sock"

    def open_requests(self, worker: int) -> Path:
        """What a proxy worker has under way, for the next one if it is killed."""
        return self.runtime / f"proxy-{worker}.open"
