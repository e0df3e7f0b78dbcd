"""What the commands say of a refusal."""

from __future__ import annotations

from knowledge.errors import KnowledgeError

# REST hints name endpoints; a person at a terminal has commands.
HINTS = {"source_unknown": "`manage.py sources` lists the sources."}


def command_hint(code: str, hint: str) -> str:
    return HINTS.get(code, hint)


def refusal(error: KnowledgeError) -> str:
    return f"{error.message} {command_hint(error.code, error.hint)}".rstrip()
