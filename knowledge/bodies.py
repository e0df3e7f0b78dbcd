"""Rows and hits as the JSON of the knowledge endpoints."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from knowledge.changes import PageChange
from knowledge.diff import PageDiff
from knowledge.listing import item_body, item_metadata, status_of
from knowledge.messages import SourceFailure
from knowledge.models import Chunk, CodeExample, Document, KnowledgeItem
from knowledge.search import ExampleHit, SearchHit


def summary_body(item: KnowledgeItem, failures: Mapping[str, SourceFailure]) -> dict[str, Any]:
    return {
        **item_body(item, failures),
        "status": status_of(item, failures.get(item.source_id)),
        "document_count": item.document_count,
        "code_examples_count": item.code_example_count,
        "knowledge_type": item.knowledge_type,
        "source_type": item.source_type,
    }


def source_body(item: KnowledgeItem, failures: Mapping[str, SourceFailure]) -> dict[str, Any]:
    return {
        "source_id": item.source_id,
        "title": item.title,
        "url": item.url,
        "summary": item.description,
        "metadata": item_metadata(item, failures.get(item.source_id)),
        "total_words": item.word_count,
        "update_frequency": item.update_frequency,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
    }


def chunk_body(chunk: Chunk, item: KnowledgeItem) -> dict[str, Any]:
    return {
        "id": str(chunk.pk),
        "source_id": item.source_id,
        "content": chunk.content,
        "metadata": {
            "page_id": str(chunk.document_id),
            "chunk_index": chunk.ordinal,
            "heading_path": chunk.heading_path,
            "anchor": chunk.anchor,
            "char_count": chunk.char_count,
        },
        "url": chunk.url,
        "title": chunk.document.title,
        "section": chunk.heading_path,
        "source_type": item.source_type,
        "knowledge_type": item.knowledge_type,
    }


def page_summary_body(page: Document, order: int) -> dict[str, Any]:
    return {
        "id": str(page.pk),
        "url": page.url,
        "section_title": page.title,
        "section_order": order,
        "word_count": page.word_count,
        "char_count": page.char_count,
        "chunk_count": page.chunk_count,
    }


def change_body(page: PageChange) -> dict[str, Any]:
    return {
        "page_id": None if page.page_id is None else str(page.page_id),
        "url": page.url,
        "title": page.title,
        "change": page.change,
        "changed_at": page.at,
        "has_diff": page.has_diff,
    }


def page_body(page: Document) -> dict[str, Any]:
    """An alias is shown with the text of its original, under the URL that was asked for."""
    text = page.alias_of or page
    return {
        "id": str(page.pk),
        "source_id": page.item.source_id,
        "url": page.url,
        "title": text.title,
        "full_content": text.markdown,
        "section_title": text.title,
        "word_count": text.word_count,
        "char_count": text.char_count,
        "chunk_count": text.chunk_count,
        "metadata": page,
        "created_at": page.first_seen_at,
        "updated_at": page.changed_at,
    }


def diff_body(page: Document, found: PageDiff) -> dict[str, Any]:
    return {
        "page_id": str(page.pk),
        "source_id": page.item.source_id,
        "url": page.url,
        "title": (page.alias_of or page).title,
        "title_before": found.title_before,
        "since": found.since,
        "until": found.until,
        "changed_at": page.changed_at,
        "diff": "\n".join(found.lines),
        "added": found.added,
        "removed": found.removed,
        "truncated": found.truncated,
    }


def chunk_hit_body(hit: SearchHit) -> dict[str, Any]:
    return {
        "id": str(hit.chunk_id),
        "content": hit.content,
        "url": hit.url,
        "title": hit.title,
        "heading_path": hit.heading_path,
        "metadata": {
            "source_id": hit.source_id,
            "page_id": str(hit.document_id),
            "page_url": hit.page_url,
            "chunk_index": hit.ordinal,
            "anchor": hit.anchor,
            "knowledge_type": hit.knowledge_type,
            "tags": list(hit.tags),
            "snippet": hit.snippet.text,
            "highlights": list(hit.snippet.highlights),
        },
        "similarity_score": hit.score,
        "scores": hit.scores._asdict(),
    }


def page_hit_body(hit: SearchHit) -> dict[str, Any]:
    return {
        **chunk_hit_body(hit),
        "id": str(hit.document_id),
        "page_id": str(hit.document_id),
        "section_title": hit.title,
        "word_count": hit.page_word_count,
        "chunk_matches": hit.chunk_matches,
        "aggregate_similarity": hit.score,
        "average_similarity": hit.average_score,
        "source_id": hit.source_id,
    }


def example_body(example: CodeExample) -> dict[str, Any]:
    return {"content": example.code, **_described(example)}


def example_hit_body(hit: ExampleHit) -> dict[str, Any]:
    return {
        **example_body(hit.example),
        "similarity_score": hit.score,
        "scores": hit.scores._asdict(),
    }


def _described(example: CodeExample) -> dict[str, Any]:
    return {
        "id": str(example.pk),
        "source_id": example.item.source_id,
        "language": example.language,
        "title": example.title,
        "summary": example.summary,
        "described_by": example.described_by or "heading",
        "url": example.url,
        "metadata": {
            "page_id": str(example.document_id),
            "page_title": example.document.title,
            "heading_path": example.heading_path,
            "anchor": example.anchor,
            "char_count": len(example.code),
            "knowledge_type": example.item.knowledge_type,
            "tags": example.item.tags,
        },
    }
