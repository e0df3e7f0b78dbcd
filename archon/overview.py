"""What `manage.py` without a command says: the product's own commands first, each in a line."""

from __future__ import annotations

from importlib import import_module

from django.core.management import get_commands

APPS = ("archon", "crawler", "knowledge", "progress")
# What most people come for, in the order in which they do; the others follow by name.
FIRST = ("up", "down", "crawl", "ingest", "search", "ask", "sources", "jobs", "doctor")


def overview() -> str:
    """Needs Django to be set up."""
    own = {name: app for name, app in get_commands().items() if app in APPS}
    names = [*FIRST, *sorted(own.keys() - set(FIRST))]
    width = max(map(len, names))
    lines = [f"  {name:{width}}  {_help(own[name], name)}" for name in names]
    return "\n".join([
        "Archon's commands; `manage.py COMMAND --help` tells the options of one, docs/commands.md more of all:",
        "",
        *lines,
        "",
        "Django's own: `manage.py help --commands` lists them too.",
    ])  # fmt: skip


def _help(app: str, name: str) -> str:
    command = import_module(f"{app}.management.commands.{name}").Command
    return " ".join(str(command.help).split())
