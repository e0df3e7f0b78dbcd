"""How much of an answer fits into what the assistant is ready to read.

Counted with the tokenizer of the bundled embedder. Every model counts in its own way; on English
and code this one gives somewhat more than those of the large models, so the promise is kept.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# A rest shorter than this says nothing.
LEAST_TOKENS = 60
# Address, title, headings and the words of the JSON around one passage.
FRAME_TOKENS = 60
# No text has more characters per token for long; what is beyond is not worth counting.
MOST_CHARS_PER_TOKEN = 12


@cache
def tokenizer() -> Tokenizer:
    from knowledge.embedding.local import load_tokenizer

    return load_tokenizer()


class Budget:
    """Hands out tokens until they are used up."""

    def __init__(self, tokens: int) -> None:
        self.left = tokens
        self.used = 0

    def fits(self, text: str) -> bool:
        """Whether `take` would give all of it."""
        return beginning(text, max(0, self.left - FRAME_TOKENS))[0] == text

    def take(self, text: str) -> str | None:
        """`text`, or as much of its beginning as fits; None when nothing sensible does."""
        room = self.left - FRAME_TOKENS
        if room <= 0:
            return None
        taken, tokens = beginning(text, room)
        if taken != text and tokens < LEAST_TOKENS:
            return None
        self.left -= tokens + FRAME_TOKENS
        self.used += tokens + FRAME_TOKENS
        return taken


def beginning(text: str, tokens: int) -> tuple[str, int]:
    """As much of `text` as has at most so many tokens, and how many it has; it ends with a line if it can."""
    if tokens <= 0:
        return "", 0
    looked_at = text[: tokens * MOST_CHARS_PER_TOKEN]
    encoded = tokenizer().encode(looked_at, add_special_tokens=False)
    if len(encoded) <= tokens:
        return looked_at, len(encoded)
    end = encoded.offsets[tokens - 1][1]
    line = looked_at.rfind("\n", 0, end)
    return looked_at[: line if line > end // 2 else end], tokens
