# ruff: noqa: E501  # a pattern that is broken over lines can no longer be read
"""What language a piece of code is in: as its author says, or a light guess from what it looks like. Pure."""

from __future__ import annotations

import json
import re

LANGUAGE_CHARS = 40
# A guess looks at this much of the code.
LOOK_CHARS = 4_000

_ALIASES = {
    "bat": "batch",
    "c++": "cpp",
    "cs": "csharp",
    "docker": "dockerfile",
    "golang": "go",
    "ipython": "python",
    "ipython3": "python",
    "js": "javascript",
    "kt": "kotlin",
    "md": "markdown",
    "node": "javascript",
    "objc": "objective-c",
    "ps1": "powershell",
    "pwsh": "powershell",
    "py": "python",
    "py3": "python",
    "pycon3": "pycon",
    "python-console": "pycon",
    "python-repl": "pycon",
    "python3": "python",
    "rb": "ruby",
    "rs": "rust",
    "sh": "shell",
    "shell-session": "console",
    "shellsession": "console",
    "terminal": "console",
    "ts": "typescript",
    "yml": "yaml",
    "zsh": "shell",
}
# What sites write for "no language": the text decides whether it is code at all.
UNNAMED = frozenset({"", "default", "guess", "none", "nohighlight", "plain", "plaintext", "text", "txt"})
# Labels of pictures drawn in letters, and of formulas.
PICTURES = frozenset({"ascii", "asciiart", "diagram", "dot", "graphviz", "latex-math", "math", "mermaid", "plantuml"})
OUTPUTS = frozenset({"console-output", "log", "logs", "output", "result", "stdout", "traceback"})

_INFO_WORD = re.compile(r"\{?\.?(?:code-block\}\s*|code\}\s*|sourcecode\}\s*)?([\w+#-]{1,40})")
_INFO_NAME = re.compile(r"""(?:title|filename|file|name)\s*=\s*(?:"([^"]{1,120})"|'([^']{1,120})'|([^\s}"']{1,120}))""")
_INFO_PATH = re.compile(r"[\w+#-]{1,40}:([\w./@-]{1,120}\.\w{1,10})$")

# In this order: the first language of which enough is found. (how much is enough, pattern of one sign)
_SIGNS: tuple[tuple[str, int, re.Pattern[str]], ...] = tuple(
    (name, enough, re.compile(pattern, re.MULTILINE))
    for name, enough, pattern in (
        ("pycon", 1, r"^>>> "),
        ("php", 1, r"<\?php"),
        ("diff", 1, r"^(?:diff --git |@@ -\d)"),
        ("html", 1, r"^\s{0,8}<(?:!DOCTYPE html|html|head|body|div|script|template|ul|form|nav)\b"),
        ("xml", 1, r"^\s{0,8}<(?:\?xml\b|[\w:.-]{1,60}(?:\s[\w:.-]{1,60}=\"[^\"\n]{0,200}\"){0,20}\s?/?>)"),
        ("dockerfile", 2, r"^(?:FROM|RUN|COPY|ENTRYPOINT|CMD|WORKDIR|EXPOSE) \S"),
        ("sql", 1, r"^\s{0,8}(?:SELECT\b[^\n]{0,400}|INSERT INTO|UPDATE \w+ SET|CREATE (?:TABLE|INDEX|VIEW)|DELETE FROM|ALTER TABLE|WITH \w+ AS)\b"),
        ("go", 1, r"^(?:package \w+$|func (?:\(\w+ \*?\w+\) )?\w+\()|:= range "),
        ("rust", 1, r"^\s{0,12}(?:pub )?(?:fn \w+[<(]|impl\b[^\n]{0,100}\{|let mut |use (?:std|crate)::|#\[derive)"),
        ("cpp", 1, r"^#include <\w+>|\bstd::\w"),
        ("c", 1, r"^#include [<\"]\w+\.h[>\"]|^(?:static |const )?(?:int|void|char|double|size_t) \*?\w+\([^\n]{0,200}[;{]$"),
        ("java", 1, r"\bpublic (?:static |final |abstract )*(?:class|interface|void|int|String)\b|System\.out\."),
        ("csharp", 1, r"^using [\w.]+;$|\bnamespace [\w.]+\s?[;{]"),
        ("typescript", 1, r"^\s{0,8}(?:export )?(?:interface \w+|type \w+ =|enum \w+ \{)|\(\w+: (?:string|number|boolean)\b"),
        ("javascript", 1, r"^\s{0,12}(?:const|let|var) [\w{\[][^\n]{0,100}=|=> ?[{(\w]|\bfunction ?\w*\([^\n)]{0,100}\) ?\{|\brequire\(['\"]|^(?:import|export) [^\n]{0,100} from ['\"]|\bconsole\.log\("),
        ("python", 1, r"^\s{0,24}(?:def \w+\([^\n]{0,200}|class \w+(?:\([^\n]{0,100}\))?:|from [\w.]+ import \S|import [\w.]+(?: as \w+)?$|@\w[\w.]*(?:\(|$)|elif .{1,200}:$|with .{1,200}:$|async def )"),
        ("ruby", 2, r"^\s{0,12}(?:require ['\"]|def \w+[^:\n]*$|end$|puts )"),
        ("console", 1, r"^(?:\$|[\w.@~/-]{0,40}[$#]) [a-z./]"),
        ("powershell", 1, r"^(?:PS [A-Z]:|\$env:|(?:Get|Set|New|Remove|Install|Invoke)-[A-Z]\w+)"),
        ("shell", 1, r"^(?:#!/bin/\w*sh|#!/usr/bin/env \w*sh|(?:sudo |exec )?(?:pip3?|npm|npx|yarn|pnpm|git|curl|wget|apt(?:-get)?|brew|docker|kubectl|cargo|make|python3?|uv|go|export|cd|mkdir|ls|cat|echo|cp|mv|rm|chmod|source|\./\S+) ?\S)"),
        ("toml", 2, r"^(?:\[{1,2}[\w.\"-]{1,80}\]{1,2}$|[\w.-]{1,60} = (?:\"|'|\[|\{|\d|true|false))"),
        ("ini", 2, r"^(?:\[[\w .:-]{1,80}\]$|[\w.-]{1,60} ?= ?\S)"),
        ("yaml", 2, r"^\s{0,24}(?:- )?[\w.\"/-]{1,60}:(?: \S|$)"),
        ("css", 1, r"^[.#]?[\w-]{1,60}(?:[ ,>:.#][^\n{]{0,100})? \{\n\s{0,8}[\w-]{1,40}: [^\n]{1,200};"),
        ("http", 1, r"^(?:GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS) (?:/|https?://)\S*(?: HTTP/[\d.]+)?$|^HTTP/[\d.]+ \d{3}"),
    )
)  # fmt: skip


def named_language(info: str) -> str:
    """From a fence's info string: ```py, ```{.python .numberLines}, ```{code-block} python, ```js{1,3}, ```rs:src/a.rs.
    Lower case; empty when none is named."""
    match = _INFO_WORD.match(info.strip())
    word = match[1].lower() if match else ""
    return "" if word in UNNAMED else _ALIASES.get(word, word)[:LANGUAGE_CHARS]


def named_file(info: str) -> str:
    """The file or title that an info string gives its code."""
    if match := _INFO_NAME.search(info):
        return next(found for found in match.groups() if found).strip()
    match = _INFO_PATH.match(info.strip())
    return match[1] if match else ""


def guessed_language(code: str) -> str:
    """Empty when nothing tells. Costs one pass per language over the beginning of the code."""
    look = code[:LOOK_CHARS]
    if _is_json(look, whole=len(look) == len(code)):
        return "json"
    for name, enough, sign in _SIGNS:
        if sum(1 for _, _ in zip(range(enough), sign.finditer(look), strict=False)) == enough:
            return name
    return ""


def _is_json(code: str, *, whole: bool) -> bool:
    text = code.strip()
    if not whole or text[:1] not in ("{", "[") or text[-1:] not in ("}", "]"):
        return False
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return bool(parsed) and isinstance(parsed, dict | list)
