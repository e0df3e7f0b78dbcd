"""The front door of ingest: prepare a document (CPU, anywhere), then store it (database, inside a transaction)."""

from knowledge.ingest.prepare import IncomingDocument, PreparedDocument, prepare_document
from knowledge.ingest.store import (
    Stored,
    Validators,
    keep_documents,
    remove_documents,
    store_document,
    store_documents,
    validators,
)

__all__ = [
    "IncomingDocument",
    "PreparedDocument",
    "Stored",
    "Validators",
    "keep_documents",
    "prepare_document",
    "remove_documents",
    "store_document",
    "store_documents",
    "validators",
]
