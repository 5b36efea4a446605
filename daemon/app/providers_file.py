"""The snapshot behind the proxy port's `/v1/metrics/providers`."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_providers(path: Path, figures: Mapping[str, Mapping[str, Any]]) -> None:
    """Replaces it atomically. Blocking; raises OSError."""
    new = path.with_suffix(".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(figures, file)
    new.replace(path)
