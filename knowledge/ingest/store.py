"""Prepared documents into rows: documents, chunks, code examples, their keyword indexes and the source's counts, in
one transaction."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from django.db import connection
from django.db.models import F
from django.utils import timezone

from knowledge.embedding.kinds import CHUNKS
from knowledge.embedding.rows import remove_vectors, wake_on_commit
from knowledge.errors import UnknownSource
from knowledge.ingest.batches import Row, batches, insert
from knowledge.ingest.example_rows import ExampleRenewal, remove_examples
from knowledge.ingest.prepare import PreparedChunk, PreparedDocument, PreparedExamples
from knowledge.ingest.revisions import keep_texts
from knowledge.models import Chunk, CodeExample, Document, KnowledgeItem, RemovedPage
from knowledge.search.keyword import IndexEntry, keyword_index
from knowledge.search.words import IndexedText

Outcome = Literal["new", "changed", "unchanged", "alias"]
# What every fetch renews, also of a page that did not change.
FETCH_FIELDS = ("generation", "fetched_at", "http_status", "etag", "last_modified")
CODE_FIELDS = ("code_example_count", "code_left_out")
TEXT_FIELDS = ("markdown", "char_count", "word_count", "chunk_count", *CODE_FIELDS)
CONTENT_FIELDS = (
    *FETCH_FIELDS,
    *TEXT_FIELDS,
    "title",
    "description",
    "content_type",
    "language",
    "content_hash",
    "changed_at",
    "alias_of",
)
CHUNK_FIELDS = (
    "document",
    "item",
    "ordinal",
    "content_hash",
    "char_count",
    "heading_path",
    "anchor",
    "content",
)
NO_CODE = PreparedExamples((), {})


@dataclass(frozen=True, slots=True)
class Stored:
    """`chunks`, `words` and `code_examples` are what this call adds to the generation, so that their sum over a crawl
    is what the source holds: a page met a second time, and an alias, add nothing."""

    document_id: int
    chunks: int
    words: int
    code_examples: int
    outcome: Outcome


class Counts(NamedTuple):
    documents: int = 0
    chunks: int = 0
    words: int = 0
    examples: int = 0

    def __sub__(self, other: Counts) -> Counts:
        return Counts(*(mine - theirs for mine, theirs in zip(self, other, strict=True)))


NOTHING = Counts()


def store_documents(item_id: int, prepared: Sequence[PreparedDocument], *, generation: int) -> list[Stored]:
    """Must run inside transaction.atomic(), and locks the source until it ends: two workers that meet the same
    content under two URLs at once must not both take it for new. Raises UnknownSource when it was deleted."""
    assert connection.in_atomic_block, "store_documents must be called inside transaction.atomic()"
    source = KnowledgeItem.objects.visible().select_for_update(no_key=True).filter(pk=item_id)
    if not source.values_list("pk").first():
        raise UnknownSource("The source of this page was deleted.", field="source_id")
    return _Batch(item_id, generation, prepared).store() if prepared else []


def store_document(item_id: int, prepared: PreparedDocument, *, generation: int) -> Stored:
    return store_documents(item_id, [prepared], generation=generation)[0]


class Validators(NamedTuple):
    """What a server gave us to ask with whether a page changed."""

    etag: str
    last_modified: str


def validators(item_id: int, url_hashes: Collection[str], *, code_examples: bool) -> dict[str, Validators]:
    """Of the pages that can be asked for conditionally, by the hash of their URL. A page whose code is wanted and was
    never looked for is fetched whole."""
    known = Document.objects.filter(item=item_id, url_hash__in=url_hashes).exclude(etag="", last_modified="")
    if code_examples:
        known = known.exclude(code_example_count=None)
    return {row[0]: Validators(*row[1:]) for row in known.values_list("url_hash", "etag", "last_modified")}


def keep_documents(
    item_id: int, url_hashes: Collection[str], *, generation: int, fetched_at: datetime
) -> dict[str, Stored]:
    """The server answered 304: the pages join this generation as they are. By hash; a page that is gone is missing."""
    assert connection.in_atomic_block, "keep_documents must be called inside transaction.atomic()"
    kept = {
        doc.url_hash: doc for doc in Document.objects.filter(item=item_id, url_hash__in=url_hashes).defer("markdown")
    }
    stored = {
        url_hash: _stored(doc, NOTHING if doc.generation == generation else _counts(doc), "unchanged")
        for url_hash, doc in kept.items()
    }
    Document.objects.filter(pk__in=[doc.pk for doc in kept.values()]).update(
        generation=generation, fetched_at=fetched_at
    )
    if kept:
        KnowledgeItem.objects.filter(pk=item_id).update(fetched_at=fetched_at)
    return stored


def remove_documents(item_id: int, url_hashes: Collection[str]) -> int:
    """Pages that left the site, with their chunks and index; an alias inherits what it shows. How many went."""
    assert connection.in_atomic_block, "remove_documents must be called inside transaction.atomic()"
    KnowledgeItem.objects.select_for_update(no_key=True).filter(pk=item_id).values_list("pk").first()
    documents = list(Document.objects.filter(item=item_id, url_hash__in=url_hashes).defer("markdown"))
    if documents:
        _Batch(item_id, 0, ()).remove(documents)
    return len(documents)


class _Batch:
    """One call's documents. First every page that changes leaves its old content, to an alias if one still shows it;
    then each takes its new content. So no page can become the alias of one that is about to change."""

    def __init__(self, item_id: int, generation: int, prepared: Sequence[PreparedDocument]) -> None:
        self.item_id = item_id
        self.generation = generation
        self.prepared = prepared
        # Two URLs may redirect to one: the later answer counts.
        self.latest = {one.incoming.url_hash: one for one in prepared}
        documents = Document.objects.filter(item=item_id).defer("markdown")
        self.by_url = {document.url_hash: document for document in documents.filter(url_hash__in=self.latest)}
        self.touched = {document.pk: document for document in self.by_url.values()}
        self.before = {pk: _counts(document) for pk, document in self.touched.items()}
        originals = documents.filter(content_hash__in={one.content_hash for one in prepared}, alias_of=None)
        self.by_content = {found.content_hash: self.touched.get(found.pk, found) for found in originals}
        self.created: list[Document] = []
        self.rewritten: list[tuple[Document, PreparedDocument]] = []
        # Unchanged pages whose code is looked for for the first time.
        self.searched: list[tuple[Document, PreparedDocument]] = []

    def store(self) -> list[Stored]:
        changing = [doc for doc in self.by_url.values() if doc.content_hash != self.latest[doc.url_hash].content_hash]
        keep_texts(changing)
        for document in changing:
            if not _is_alias(document):
                self._leave(document, changing)
        taken = {url_hash: self._take(one) for url_hash, one in self.latest.items()}
        self._write_documents()
        self._write_chunks()
        self._write_examples()
        self._write_counts()
        return [self._stored(one, *taken[one.incoming.url_hash]) for one in self.prepared]

    def _stored(self, prepared: PreparedDocument, outcome: Outcome, added: Counts) -> Stored:
        url_hash = prepared.incoming.url_hash
        if self.latest[url_hash] is not prepared:
            outcome, added = "unchanged", NOTHING
        return _stored(self.by_url[url_hash], added, outcome)

    def _leave(self, document: Document, changing: Sequence[Document]) -> None:
        """Before a page's content goes: the first alias that still shows it inherits it, chunks and all."""
        if self.by_content.get(document.content_hash) is document:
            del self.by_content[document.content_hash]
        aliases = document.aliases.defer("markdown").exclude(pk__in=[other.pk for other in changing]).order_by("pk")
        heirs = [self.touched.get(alias.pk, alias) for alias in aliases]
        if not heirs:
            return
        heir, *others = heirs
        self.before.setdefault(heir.pk, _counts(heir))
        self.touched[heir.pk] = heir
        for field in TEXT_FIELDS:
            setattr(heir, field, getattr(document, field))
        heir.alias_of = None
        heir.save(update_fields=[*TEXT_FIELDS, "alias_of"])
        for alias in others:
            alias.alias_of = heir
            alias.save(update_fields=["alias_of"])
        Chunk.objects.filter(document=document).update(document=heir)
        CodeExample.objects.filter(document=document).update(document=heir)
        self.by_content[heir.content_hash] = heir

    def _take(self, prepared: PreparedDocument) -> tuple[Outcome, Counts]:
        incoming = prepared.incoming
        document = self.by_url.get(incoming.url_hash)
        outcome: Outcome
        counted = NOTHING
        if document is None:
            document = self._new(prepared)
            outcome = self._rewrite(document, prepared, "new")
        else:
            if document.generation == self.generation:
                counted = self.before[document.pk]
            if document.content_hash == prepared.content_hash:
                outcome = "alias" if _is_alias(document) else "unchanged"
                if prepared.code is not None and document.code_example_count is None:
                    self._take_code(document, prepared)
                    self.searched.append((document, prepared))
            else:
                outcome = self._rewrite(document, prepared, "changed")
        document.generation, document.fetched_at = self.generation, incoming.fetched_at
        document.http_status, document.etag, document.last_modified = (
            incoming.http_status,
            incoming.etag,
            incoming.last_modified,
        )
        return outcome, _counts(document) - counted

    def _new(self, prepared: PreparedDocument) -> Document:
        document = Document(
            item_id=self.item_id,
            url=prepared.incoming.url,
            url_hash=prepared.incoming.url_hash,
            first_seen_at=prepared.incoming.fetched_at,
        )
        self.by_url[document.url_hash] = document
        self.created.append(document)
        return document

    def _rewrite(self, document: Document, prepared: PreparedDocument, outcome: Outcome) -> Outcome:
        """Give the document its new content; as an alias, when another URL of the source holds the same."""
        original = self.by_content.get(prepared.content_hash) if prepared.chunks else None
        incoming = prepared.incoming
        document.title, document.description = incoming.title, incoming.description
        document.content_type, document.language = incoming.content_type, incoming.language
        document.content_hash, document.changed_at = prepared.content_hash, incoming.fetched_at
        document.alias_of = original
        document.markdown = "" if original else incoming.markdown
        document.char_count = 0 if original else len(incoming.markdown)
        document.word_count = 0 if original else prepared.word_count
        document.chunk_count = 0 if original else len(prepared.chunks)
        self._take_code(document, prepared)
        if original is None:
            self.by_content[prepared.content_hash] = document
        self.rewritten.append((document, prepared))
        return "alias" if original else outcome

    @staticmethod
    def _take_code(document: Document, prepared: PreparedDocument) -> None:
        """An alias holds none, as it holds no text."""
        code = prepared.code if not _is_alias(document) else NO_CODE
        document.code_example_count = None if code is None else len(code.examples)
        document.code_left_out = {} if code is None else dict(code.left_out)

    def _write_documents(self) -> None:
        # Originals first: an alias needs the id of its original.
        Document.objects.bulk_create([document for document in self.created if not _is_alias(document)])
        Document.objects.bulk_create([document for document in self.created if _is_alias(document)])
        fields: dict[int, tuple[str, ...]] = {document.pk: CONTENT_FIELDS for document, _ in self.rewritten}
        fields |= {document.pk: (*FETCH_FIELDS, *CODE_FIELDS) for document, _ in self.searched}
        for document in self.by_url.values():
            if document.pk in self.touched:
                document.save(update_fields=fields.get(document.pk, FETCH_FIELDS))
        self.touched |= {document.pk: document for document in self.created}

    def _write_chunks(self) -> None:
        changed = [document.pk for document, _ in self.rewritten if self.before.get(document.pk, NOTHING).chunks]
        old: defaultdict[int, list[Chunk]] = defaultdict(list)
        if changed:
            for chunk in Chunk.objects.filter(document__in=changed).defer("content").order_by("document", "ordinal"):
                old[chunk.document_id].append(chunk)
        renewal = _ChunkRenewal()
        for document, prepared in self.rewritten:
            renewal.plan(document, () if _is_alias(document) else prepared.chunks, old[document.pk])
        renewal.write()

    def _write_examples(self) -> None:
        changed = [doc.pk for doc, _ in (*self.rewritten, *self.searched) if self.before.get(doc.pk, NOTHING).examples]
        renewal = ExampleRenewal(changed)
        for document, prepared in (*self.rewritten, *self.searched):
            renewal.plan(document, () if prepared.code is None or _is_alias(document) else prepared.code.examples)
        renewal.write()

    def remove(self, documents: Sequence[Document]) -> None:
        for document in documents:
            if not _is_alias(document):
                self._leave(document, documents)
        pks = [document.pk for document in documents]
        remove_chunks(list(Chunk.objects.filter(document__in=pks).values_list("pk", flat=True)))
        remove_examples(list(CodeExample.objects.filter(document__in=pks).values_list("pk", flat=True)))
        Document.objects.filter(pk__in=pks).delete()
        RemovedPage.objects.bulk_create(
            RemovedPage(item_id=self.item_id, page_id=pk, url=gone.url, title=gone.title)
            for pk, gone in zip(pks, documents, strict=True)
        )
        self._add_counts([NOTHING - _counts(document) for document in documents], updated_at=timezone.now())

    def _write_counts(self) -> None:
        changes = {"updated_at": timezone.now()} if self.rewritten else {}
        self._add_counts((), fetched_at=max(one.incoming.fetched_at for one in self.prepared), **changes)

    def _add_counts(self, further: Iterable[Counts], **changes: datetime) -> None:
        """The difference of all touched documents, in one UPDATE."""
        added = [_counts(document) - self.before.get(pk, NOTHING) for pk, document in self.touched.items()]
        added += further
        KnowledgeItem.objects.filter(pk=self.item_id).update(
            document_count=F("document_count") + sum(counts.documents for counts in added),
            chunk_count=F("chunk_count") + sum(counts.chunks for counts in added),
            word_count=F("word_count") + sum(counts.words for counts in added),
            code_example_count=F("code_example_count") + sum(counts.examples for counts in added),
            **changes,
        )


class _ChunkRenewal:
    """The fewest row changes that turn the old chunks of some pages into the new ones: equal chunks keep their id."""

    def __init__(self) -> None:
        self.removed: list[int] = []
        self.moved: list[Chunk] = []
        self.created: list[Row] = []
        self.indexed: list[IndexedText] = []

    def plan(self, document: Document, new: Sequence[PreparedChunk], old: Iterable[Chunk]) -> None:
        kept: defaultdict[str, deque[Chunk]] = defaultdict(deque)
        for chunk in old:
            kept[chunk.content_hash].append(chunk)
        for ordinal, prepared in enumerate(new):
            same = kept[prepared.content_hash]
            if not same:
                self.created.append(_chunk(document, ordinal, prepared))
                self.indexed.append(prepared.indexed)
                continue
            chunk = same.popleft()
            if (chunk.ordinal, chunk.anchor) != (ordinal, prepared.anchor):
                chunk.ordinal, chunk.anchor = ordinal, prepared.anchor
                self.moved.append(chunk)
        self.removed += [chunk.pk for chunks in kept.values() for chunk in chunks]

    def write(self) -> None:
        if self.removed:
            remove_chunks(self.removed)
        if self.moved:
            # Out of the way first: (document, ordinal) is unique after every single row.
            for pks in batches([chunk.pk for chunk in self.moved]):
                Chunk.objects.filter(pk__in=pks).update(ordinal=-1 - F("ordinal"))
            Chunk.objects.bulk_update(self.moved, ["ordinal", "anchor"], batch_size=100)
        if self.created:
            wake_on_commit()
            pks = insert(Chunk, CHUNK_FIELDS, self.created)
            keyword_index().add(list(map(IndexEntry, pks, self.indexed)))


def remove_chunks(pks: Sequence[int]) -> None:
    """Rows and index together. The caller keeps the counts."""
    keyword_index().remove(pks)
    for some in batches(pks):
        remove_vectors(CHUNKS, some)
        Chunk.objects.filter(pk__in=some).delete()


def _is_alias(document: Document) -> bool:
    """Also of an original that has no id yet."""
    return document.alias_of_id is not None or document.alias_of is not None


def _counts(document: Document) -> Counts:
    if _is_alias(document):
        return NOTHING
    return Counts(1, document.chunk_count, document.word_count, document.code_example_count or 0)


def _stored(document: Document, added: Counts, outcome: Outcome) -> Stored:
    return Stored(document.pk, added.chunks, added.words, added.examples, outcome)


def _chunk(document: Document, ordinal: int, new: PreparedChunk) -> Row:
    """A row of CHUNK_FIELDS."""
    place = (document.pk, document.item_id, ordinal)
    return (*place, new.content_hash, len(new.content), new.heading_path, new.anchor, new.content)
