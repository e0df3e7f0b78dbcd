"""The front door of search: search(SearchQuery) -> SearchOutcome, search_examples(...) for code alone."""

from knowledge.search.examples import ExampleHit, ExampleOutcome, search_examples
from knowledge.search.query import (
    MAX_MATCHES,
    MAX_QUERY_CHARS,
    Mode,
    ReturnMode,
    Scores,
    SearchHit,
    SearchOutcome,
    SearchQuery,
)
from knowledge.search.retrieve import search
from knowledge.search.snippet import Snippet

__all__ = [
    "MAX_MATCHES",
    "MAX_QUERY_CHARS",
    "ExampleHit",
    "ExampleOutcome",
    "Mode",
    "ReturnMode",
    "Scores",
    "SearchHit",
    "SearchOutcome",
    "SearchQuery",
    "Snippet",
    "search",
    "search_examples",
]
