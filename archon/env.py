"""Typed readers of the environment. Only archon/settings.py calls them, once, at start.

Every reader takes the name, the default and one sentence of help. A value that does not
parse stops the start with `ImproperlyConfigured` naming the variable, what was found and
what was expected. A secret may also come from a file: NAME_FILE holds the path.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from django.core.exceptions import ImproperlyConfigured
from dotenv import dotenv_values

T = TypeVar("T")

PREFIX = "ARCHON_"
TRUE_WORDS = frozenset({"1", "true", "yes", "on"})
FALSE_WORDS = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Setting:
    """One documented environment variable; docs/configuration.md lists them all.

    `value` is what counts, as text, and always empty for a secret; `given` when somebody set it.
    """

    name: str
    kind: str
    default: str
    help: str
    group: str = ""
    value: str = ""
    given: bool = False


class Environment:
    """The process environment over an optional .env file, read once and typed."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.declared: dict[str, Setting] = {}
        self._group = ""

    @classmethod
    def of_process(cls, dotenv: Path) -> Environment:
        """The process environment wins over the .env file."""
        from_file = {name: value for name, value in dotenv_values(dotenv).items() if value is not None}
        return cls({**from_file, **os.environ})

    def group(self, title: str) -> None:
        """Under which heading the settings that follow are shown."""
        self._group = title

    def text(self, name: str, default: str, help: str) -> str:
        return self._read(name, "text", default, help, str)

    def secret(self, name: str, default: str, help: str) -> str:
        """Like `text`, and NAME_FILE may name a file that holds the value."""
        path = self._values.get(f"{name}_FILE", "")
        given = bool(path or self._values.get(name, "").strip())
        self._declare(name, "secret", "", f"{help} {name}_FILE may name a file that holds it.", given=given)
        self._declare(f"{name}_FILE", "path", "", f"File that holds {name}.", value=path, given=bool(path))
        if not path:
            return self._values.get(name, "").strip() or default
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except OSError as error:
            raise ImproperlyConfigured(f"{name}_FILE={path!r} cannot be read: {error.strerror}.") from error

    def choice(self, name: str, default: str, help: str, choices: tuple[str, ...]) -> str:
        def parse(raw: str) -> str:
            if raw not in choices:
                raise ValueError(f"one of {', '.join(choices)}")
            return raw

        return self._read(name, " or ".join(choices), default, help, parse)

    def flag(self, name: str, default: bool, help: str) -> bool:
        def parse(raw: str) -> bool:
            word = raw.lower()
            if word in TRUE_WORDS:
                return True
            if word in FALSE_WORDS:
                return False
            raise ValueError("true or false")

        return self._read(name, "true or false", str(default).lower(), help, parse)

    def integer(self, name: str, default: int, help: str, *, at_least: int, at_most: int, shown: str = "") -> int:
        """`shown` stands for a default that differs from machine to machine."""
        expected = f"a whole number from {at_least} to {at_most}"

        def parse(raw: str) -> int:
            try:
                number = int(raw)
            except ValueError:
                raise ValueError(expected) from None
            if not at_least <= number <= at_most:
                raise ValueError(expected)
            return number

        number = self._read(name, expected, str(default), help, parse)
        if shown:
            self.declared[name] = replace(self.declared[name], default=shown)
        return number

    def number(self, name: str, default: float, help: str, *, at_least: float, at_most: float) -> float:
        expected = f"a number from {at_least:g} to {at_most:g}"

        def parse(raw: str) -> float:
            try:
                number = float(raw)
            except ValueError:
                raise ValueError(expected) from None
            if not at_least <= number <= at_most:
                raise ValueError(expected)
            return number

        return self._read(name, expected, f"{default:g}", help, parse)

    def words(self, name: str, default: tuple[str, ...], help: str) -> tuple[str, ...]:
        def parse(raw: str) -> tuple[str, ...]:
            return tuple(word for word in (part.strip() for part in raw.split(",")) if word)

        return self._read(name, "comma-separated list", ",".join(default), help, parse)

    def path(self, name: str, default: Path, help: str, *, shown: str) -> Path:
        """`shown` is the default as the documentation prints it, free of this machine's folders."""
        raw = self._values.get(name, "").strip()
        path = Path(raw).expanduser().resolve() if raw else default
        self._declare(name, "path", shown, help, value=str(path), given=bool(raw))
        return path

    def table(self) -> str:
        """Every variable as a Markdown table: what docs/configuration.md holds."""
        rows = ["| variable | takes | default | meaning |", "|---|---|---|---|"]
        for setting in self.declared.values():
            if not setting.name.endswith("_FILE"):
                default = f"`{setting.default}`" if setting.default else "—"
                rows.append(f"| `{setting.name}` | {setting.kind} | {default} | {setting.help} |")
        return "\n".join(rows)

    def refuse_unknown(self) -> None:
        """A misspelt ARCHON_ variable would be ignored in silence; stop and name the nearest one."""
        for name in self._values:
            if not name.startswith(PREFIX) or name in self.declared:
                continue
            nearest = difflib.get_close_matches(name, self.declared, n=1)
            hint = f" Did you mean {nearest[0]}?" if nearest else ""
            raise ImproperlyConfigured(f"{name} is not a setting of Archon.{hint} See docs/configuration.md.")

    def _read(self, name: str, kind: str, default: str, help: str, parse: Callable[[str], T]) -> T:
        given = self._values.get(name, "").strip().strip("\"'")
        raw = given or default
        self._declare(name, kind, default, help, value=raw, given=bool(given))
        try:
            return parse(raw)
        except ValueError as error:
            raise ImproperlyConfigured(f"{name}={raw!r} is not valid: expected {error}.") from None

    def _declare(self, name: str, kind: str, default: str, help: str, *, value: str = "", given: bool = False) -> None:
        self.declared[name] = Setting(name, kind, default, help, self._group, value, given)
