"""How much of the bundled model's window a chunk fills, told by the model's own tokenizer.

The same measure for every embedder: other windows are larger, and a chunk must keep its id when the
setting changes. A tokenizer costs 140 microseconds a chunk, which a crawl would feel; so an estimate that
errs upwards (20 microseconds, or none for a short text) clears most chunks. On the Python documentation
1 of 2,571 chunks is over the window (a row of dashes), of 2,310 without this bound 175.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from knowledge.embedding.local import TOKEN_LIMIT, load_tokenizer
from knowledge.embedding.text import embedded_text

if TYPE_CHECKING:
    from tokenizers import Tokenizer

# A token has at least one byte of text, and two are the model's own.
SURELY_FITS_BYTES = TOKEN_LIMIT - 2
# Tokens per estimated token were 1.32 at most.
ESTIMATE_SHARE = 0.7
# The model's words end at every sign; of a long word, six letters are about a token.
_ESTIMATED = re.compile(r"[^\W_]{1,6}|[^\w\s]|_")


def window_share(heading_path: str, content: str) -> float:
    """1.0 is a full window; what is beyond it would not be embedded. 0.0: far from full, and not counted."""
    text = embedded_text(heading_path, content)
    size = len(text.encode())
    # Signs outside ASCII are often a token each: every byte beyond the first counts.
    if size <= SURELY_FITS_BYTES or _estimate(text) + size - len(text) <= TOKEN_LIMIT * ESTIMATE_SHARE:
        return 0.0
    return len(_tokenizer().encode(text).ids) / TOKEN_LIMIT


def _estimate(text: str) -> int:
    return len(_ESTIMATED.findall(text))


@cache
def _tokenizer() -> Tokenizer:
    return load_tokenizer()
