"""Chunks fit the embedder's window: what the model would not read would not be found by meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.embedding import embedded_text
from knowledge.embedding.local import TOKEN_LIMIT, load_tokenizer
from knowledge.embedding.tokens import token_count, window_share
from knowledge.ingest.chunking import LEAST_CHARS
from knowledge.models import Chunk
from tests.knowledge.pages import chunks_of, page, source, store

TOKENIZER = load_tokenizer()
CODE = "```python\n" + "".join(f"    x[{n}] = f(a, b, (c['k{n}'] | 0x{n:04x}))\n" for n in range(60)) + "```"
TABLE = "| a | b |\n|---|---|\n" + "".join(f"| 0x{n:04x} | {{{n}: [{n}]}} |\n" for n in range(90))
DENSE = {
    "code": CODE,
    "table": TABLE,
    "signs": "(){}[]<>;: " * 200,
    "chinese": "文件系统的使用说明。" * 300,
    "russian": "Функция возвращает значение. " * 100,
    "fence": "`" * 150 + "\n" + "a;b;c;\n" * 300 + "`" * 150,
}


def tokens(heading_path: str, content: str) -> int:
    return len(TOKENIZER.encode(embedded_text(heading_path, content)).ids)


@pytest.mark.parametrize("kind", DENSE)
def test_dense_text_is_cut_to_the_window_and_nothing_of_it_is_lost(kind: str) -> None:
    chunks = chunks_of(f"# Part\n\n{DENSE[kind]}\n", "Reference", (), window_share)
    assert max(tokens(chunk.heading_path, chunk.content) for chunk in chunks) <= TOKEN_LIMIT
    shown = "\n".join(chunk.content for chunk in chunks)
    lost = set(DENSE[kind].split()) - set(shown.split())
    # Only what is longer than a chunk is cut within.
    assert all(len(word) > LEAST_CHARS for word in lost)


def test_pieces_of_dense_code_keep_their_fence_and_are_of_about_one_size() -> None:
    chunks = chunks_of(f"# Part\n\n{CODE}\n", "Reference", (), window_share)
    assert all(chunk.content.startswith("```python\n") and chunk.content.endswith("\n```") for chunk in chunks)
    sizes = [tokens(chunk.heading_path, chunk.content) for chunk in chunks[:-1]]
    assert min(sizes) > TOKEN_LIMIT / 3


def test_plain_prose_is_cut_by_characters_as_before() -> None:
    prose = "# Part\n\n" + "The client retries a failed request three times by default. " * 60
    assert chunks_of(prose, "Retries", (), window_share) == chunks_of(prose, "Retries")


@given(st.text(alphabet=st.sampled_from("ab_(.){0 \n`#|-猫é"), max_size=2_500))
def test_any_text_fits_the_window_or_is_as_small_as_chunks_get(markdown: str) -> None:
    for chunk in chunks_of(markdown, "T", (), window_share):
        assert len(chunk.content) <= LEAST_CHARS or tokens(chunk.heading_path, chunk.content) <= TOKEN_LIMIT


@given(st.text(alphabet=st.sampled_from("ab_(.){0 x\n猫é"), max_size=1_500))
def test_what_is_not_counted_fits(content: str) -> None:
    if window_share("T", content) == 0.0:
        assert tokens("T", content) <= TOKEN_LIMIT


@pytest.mark.django_db
def test_a_refresh_keeps_the_ids_of_chunks_that_it_does_not_change() -> None:
    item = source()
    text = f"# One\n\n{CODE}\n\n# Two\n\n{DENSE['chinese']}\n\n# Three\n\nLast words."
    store(item, page("dense", text))
    before = dict(Chunk.objects.values_list("content_hash", "pk"))
    store(item, page("dense", text.replace("Last words", "Other words")), generation=2)
    after = dict(Chunk.objects.values_list("content_hash", "pk"))
    kept = {digest: pk for digest, pk in before.items() if digest in after}
    assert len(kept) == len(before) - 1
    assert all(after[digest] == pk for digest, pk in kept.items())


@given(st.text(max_size=300))
def test_words_counted_one_by_one_are_as_many_tokens_as_the_text(text: str) -> None:
    assert token_count(text) == len(TOKENIZER.encode(text).ids)


@given(st.text(alphabet=st.characters(max_codepoint=127), max_size=300))
def test_so_it_is_with_every_sign_of_ascii(text: str) -> None:
    assert token_count(text) == len(TOKENIZER.encode(text).ids)
