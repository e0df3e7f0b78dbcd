"""How much of the bundled model's window a chunk fills, told in the model's own tokens.

The same measure for every embedder: other windows are larger, and a chunk must keep its id when the
setting changes. The tokenizer costs 140 microseconds a chunk, which a crawl would feel. It takes words
one by one, so how many tokens a word has is asked once and remembered: counting a chunk is then a look
into a dict for whatever stands between two blanks. On the Python documentation 1 of 2,571 chunks is over
the window (a row of dashes), of 2,310 without this bound 175.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from knowledge.embedding.local import TOKEN_LIMIT, load_tokenizer
from knowledge.embedding.text import embedded_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# The two that the model puts around every text.
FRAME_TOKENS = 2
# A token has at least one byte of text.
SURELY_FITS_BYTES = TOKEN_LIMIT - FRAME_TOKENS
REMEMBERED_WORDS = 50_000
# What BERT's tokenizer splits ASCII text into: runs of letters and digits, and every other sign by itself.
_WORD = re.compile(r"[A-Za-z0-9]+|[!-/:-@\[-`{-~]")
# It drops these, and what stands around them becomes one word.
_DROPPED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x85]")


def window_share(heading_path: str, content: str) -> float:
    """1.0 is a full window; what is beyond it would not be embedded. 0.0: far from full, and not counted."""
    text = embedded_text(heading_path, content)
    if len(text) <= SURELY_FITS_BYTES and len(text.encode()) <= SURELY_FITS_BYTES:
        return 0.0
    return token_count(text) / TOKEN_LIMIT


def token_count(text: str) -> int:
    """As the model's tokenizer counts, its own two among them; a text that spells one of those counts a little more."""
    if _DROPPED.search(text):
        return len(_tokenizer().encode(text).ids)
    # Blanks part words in any script.
    return FRAME_TOKENS + sum(map(_tokens_between_blanks.__getitem__, text.split()))


class _Counts(dict[str, int]):
    """Text -> its number of tokens, remembered; it forgets all when it is full."""

    def __init__(self, count: Callable[[str], int]) -> None:
        self._count = count

    def __missing__(self, text: str) -> int:
        if len(self) >= REMEMBERED_WORDS:
            self.clear()
        count = self[text] = self._count(text)
        return count


def _between_blanks(text: str) -> int:
    """What is not plain ASCII is asked whole: its signs may join or part words in ways of their own."""
    return sum(map(_tokens_of_word.__getitem__, _WORD.findall(text))) if text.isascii() else _by_tokenizer(text)


def _by_tokenizer(text: str) -> int:
    return len(_tokenizer().encode(text, add_special_tokens=False).ids)


def _of_word(word: str) -> int:
    # A word that the vocabulary has is one token, and looking it up costs a twentieth of asking the tokenizer.
    return 1 if _tokenizer().token_to_id(word.lower()) is not None else _by_tokenizer(word)


_tokens_of_word = _Counts(_of_word)
_tokens_between_blanks = _Counts(_between_blanks)


@cache
def _tokenizer() -> Tokenizer:
    return load_tokenizer()
