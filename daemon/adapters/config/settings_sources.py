"""Where settings stand: the environment, files of secrets, and `runbookd.toml`; each value remembers its place."""

import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.adapters.config.wording import did_you_mean, kind_of, nearest
from daemon.domain.errors import Mistake

PREFIX = "RUNBOOKD_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a value was found, and under which name."""

    source: str
    path: str = ""
    line: int | None = None

    def mistake(self, message: str) -> Mistake:
        return Mistake(source=self.source, line=self.line, path=self.path, message=message)


@dataclass(slots=True)
class Found:
    """Values as text by setting, each with its place; and what was wrong with the source itself."""

    values: dict[str, str] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def add(self, name: str, value: str, place: Place) -> None:
        """An empty value is none, as `NAME=` in an environment file; what was found first counts."""
        if value.strip() and name not in self.values:
            self.values[name], self.places[name] = value.strip(), place

    def under(self, other: "Found") -> None:
        """Takes from `other` what is not here yet."""
        for name, value in other.values.items():
            self.add(name, value, other.places[name])
        self.mistakes += other.mistakes


def from_environment(environ: Mapping[str, str], names: Collection[str]) -> Found:
    """`RUNBOOKD_PROXY_PORT` and its like."""
    found = Found()
    known = {f"{PREFIX}{name.upper()}": name for name in names}
    for variable in sorted(environ):
        place = Place(source="environment", path=variable)
        if variable in known:
            found.add(known[variable], environ[variable], place)
        elif variable.startswith(PREFIX):
            near = nearest(variable.removeprefix(PREFIX), names)
            hint = f"; did you mean '{PREFIX}{near.upper()}'?" if near else ""
            found.mistakes.append(place.mistake(f"is not a setting{hint}"))
    return found


def from_toml(file: Path, names: Collection[str]) -> Found:
    """`proxy_port = 8318` and its like; a file that cannot be read is one mistake."""
    found = Found()
    try:
        text = file.read_bytes().decode()
        table = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = "is not UTF-8" if isinstance(error, UnicodeError) else f"cannot be read: {error.strerror}"
        found.mistakes.append(Mistake(source=str(file), message=reason))
        return found
    except tomllib.TOMLDecodeError as error:
        found.mistakes.append(_syntax(file, str(error)))
        return found
    for key, value in table.items():
        place = Place(source=str(file), path=key, line=_line_of(key, text))
        if key not in names:
            found.mistakes.append(place.mistake(f"is not a setting{did_you_mean(key, names)}"))
        elif isinstance(value, str | int | float):
            found.add(key, str(value).lower() if isinstance(value, bool) else str(value), place)
        else:
            found.mistakes.append(place.mistake(f"should be one value, not {kind_of(value)}"))
    return found


def from_secrets(directory: Path, names: Collection[str]) -> Found:
    """Files named `upstream_api_key` or `runbookd.upstream_api_key`; those that are absent are left out."""
    found = Found()
    for name in names:
        for file in (directory / name, directory / f"runbookd.{name}"):
            place = Place(source=str(file))
            try:
                found.add(name, file.read_bytes().decode(), place)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except (OSError, UnicodeDecodeError) as error:
                reason = "is not UTF-8" if isinstance(error, UnicodeError) else f"cannot be read: {error.strerror}"
                found.mistakes.append(place.mistake(reason))
    return found


def _syntax(file: Path, error: str) -> Mistake:
    message, _, place = error.partition(" (at ")
    numbers = re.findall(r"\d+", place)
    line, column = (int(number) for number in numbers) if len(numbers) == 2 else (None, None)
    return Mistake(source=str(file), line=line, column=column, message=message[:1].lower() + message[1:])


def _line_of(key: str, text: str) -> int | None:
    """The line of a top-level key; none for a key in an unusual writing."""
    found = re.search(rf"^[ \t]*\[{{0,2}}[\"']?{re.escape(key)}\b", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else None
