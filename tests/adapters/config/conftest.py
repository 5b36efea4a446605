"""An alerts file in a directory of its own, named as a person would name it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from daemon.adapters.config.alerts_file import Loaded, load
from daemon.adapters.notify.own_address import leads_home
from daemon.app.shelf import scan

SHELVES = scan()
Load = Callable[..., Loaded]


@pytest.fixture
def load_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Load:
    """Loads a text; `resolving` are the references that lead to a URL."""
    monkeypatch.chdir(tmp_path)

    def loaded(text: str, resolving: tuple[str, ...] = ("secret:notify_urls",)) -> Loaded:
        Path("alerts.yaml").write_text(text, encoding="utf-8")
        return load(
            Path("alerts.yaml"),
            SHELVES,
            secrets=lambda reference, plain=False: (reference,) if reference in resolving else (),
            leads_home=partial(leads_home, proxy=("127.0.0.1", 8318)),
        )

    return loaded
