"""The text of a chunk as embedders read it: its headings, then its content without link targets."""

from __future__ import annotations

import re

# Link targets are 9% of the characters of documentation, and no question asks for them.
_LINK_TARGET = re.compile(r"\]\((?:[^()\s]|\([^()\s]{0,500}\)){0,2000}(?:\s\"[^\"]{0,300}\")?\)")


def embedded_text(heading_path: str, content: str) -> str:
    body = _LINK_TARGET.sub("]", content) if "](" in content else content
    return f"{heading_path}\n{body}" if heading_path else body
