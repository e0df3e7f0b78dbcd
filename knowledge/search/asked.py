"""A question, checked: its words, and the sources to look in."""

from __future__ import annotations

from collections.abc import Collection
from typing import get_args

from django.db.models import Q

from knowledge.errors import BadQuery, UnknownSource
from knowledge.models import KnowledgeItem
from knowledge.search.query import MAX_MATCHES, MAX_QUERY_CHARS, Mode, SearchQuery
from knowledge.search.words import Question, question
from progress.viewer import Viewer
from progress.wire import storable


def question_of(query: SearchQuery) -> Question:
    if query.mode not in get_args(Mode):
        message = f"The mode {query.mode!r} is not known: expected one of {', '.join(get_args(Mode))}."
        raise BadQuery(message, field="mode")
    if not 1 <= query.match_count <= MAX_MATCHES:
        raise BadQuery(f"match_count is {query.match_count}: expected 1 to {MAX_MATCHES}.", field="match_count")
    if not query.text.strip():
        raise BadQuery("The query is empty.", code="query_empty", hint="Ask with a word or two.", field="query")
    if len(query.text) > MAX_QUERY_CHARS:
        message = f"The query has {len(query.text)} characters: expected at most {MAX_QUERY_CHARS}."
        raise BadQuery(message, code="query_too_long", hint="Ask with the words that matter.", field="query")
    asked = question(query.text)
    if not asked.lexemes and (query.mode == "keyword" or not any(map(str.isalnum, query.text))):
        message = "The query holds no letter or digit to search for."
        raise BadQuery(message, code="query_without_words", hint="Ask with a word or two.", field="query")
    return asked


def items_of(query: SearchQuery) -> Collection[int] | None:
    """The sources to search in; None for all, which spares the index a look at every chunk's source."""
    visible = KnowledgeItem.objects.visible_to(query.viewer)
    if query.source_id is not None:
        source_id = storable(query.source_id)
        found = visible.filter(source_id=source_id).first()
        if found is None:
            raise UnknownSource.of(source_id, field="source")
        visible = visible.filter(pk=found.pk)
    elif not query.tags and not _some_are_hidden(query.viewer):
        return None
    return list(visible.tagged(map(storable, query.tags)).values_list("pk", flat=True))


def _some_are_hidden(viewer: Viewer) -> bool:
    deleted = Q(deleted_at__isnull=False)
    return KnowledgeItem.objects.filter(deleted if viewer.everything else deleted | ~viewer.seen()).exists()
