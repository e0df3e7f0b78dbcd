"""Some lines of an exported source, made ready and stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from knowledge.embedding import portable as vectors
from knowledge.embedding.models import EmbeddingSpace
from knowledge.ingest import IncomingDocument, PreparedDocument, Stored, prepare_document, store_documents
from knowledge.ingest.prepare import PreparedExamples, chunk_hash, described, example_hash
from knowledge.models import DIGEST_CHARS, Document
from knowledge.portable.form import AliasLine, Header, PageLine, unpacked
from progress.plural import plural
from progress.wire import storable


@dataclass(slots=True)
class Done:
    """What a batch brought. `changed`: the source looks different now."""

    failed: int = 0
    chunks: int = 0
    words: int = 0
    examples: int = 0
    vectors: int = 0
    changed: bool = False
    lines: list[str] = field(default_factory=list)

    def leave(self, number: int, reason: str) -> None:
        self.failed += 1
        self.lines.append(f"Line {number} was left out: {reason}")


class Batch:
    """`said` are (line number, what the line is), a str saying why it cannot be taken."""

    def __init__(self, item_id: int, said: Sequence[tuple[int, object]], header: Header) -> None:
        self.item_id = item_id
        self.done = Done()
        self.pages: dict[str, tuple[PageLine, PreparedDocument]] = {}
        self.aliases: list[tuple[int, AliasLine]] = []
        self.vectors: dict[str, bytes] = {}
        self.dimension = header.vectors.dimension if header.vectors else 0
        for number, line in said:
            if isinstance(line, PageLine):
                self._prepare(number, line)
            elif isinstance(line, AliasLine):
                self.aliases.append((number, line))
            else:
                self.done.leave(number, str(line))

    def _prepare(self, number: int, line: PageLine) -> None:
        """Chunks and examples are made anew from the text, so that ours are as our own version makes them; where they
        are the exported ones, these give their anchors and vectors."""
        prepared = prepare_document(_incoming(line))
        anchors: dict[str, str] = {}
        bad = 0
        for chunk in line.chunks:
            key = chunk_hash(chunk.heading_path, chunk.content)
            anchors.setdefault(key, chunk.anchor)
            if chunk.vector is not None and self.dimension:
                vector = unpacked(chunk.vector, self.dimension)
                bad += vector is None
                self.vectors |= {key: vector} if vector else {}
        if bad:
            vectors_are = plural(bad, "vector is", "vectors are")
            self.done.lines.append(f"Line {number}: {vectors_are} not of length 1 and {self.dimension} dimensions")
        chunks = tuple(
            replace(chunk, anchor=anchors.get(chunk.content_hash, chunk.anchor)) for chunk in prepared.chunks
        )
        prepared = replace(prepared, chunks=chunks, code=_examples(prepared, line))
        self.pages[prepared.incoming.url_hash] = (line, prepared)

    def store(self, generation: int, space: EmbeddingSpace | None) -> Done:
        """In the caller's transaction. Once."""
        taken = self._newer_than_ours()
        stored = store_documents(self.item_id, [self.pages[key][1] for key in taken], generation=generation)
        for key, result in zip(taken, stored, strict=True):
            self._date(result.document_id, self.pages[key][0], new=result.outcome == "new")
        for result in [*stored, *self._store_aliases(generation)]:
            self.done.chunks += result.chunks
            self.done.words += result.words
            self.done.examples += result.code_examples
            self.done.changed |= result.outcome != "unchanged"
        if space is not None and self.vectors:
            documents = [result.document_id for result in stored]
            self.done.vectors = vectors.adopt(space, documents, self.vectors)
        return self.done

    def _newer_than_ours(self) -> list[str]:
        """The pages to take: what was fetched here later stays."""
        known = Document.objects.filter(item=self.item_id, url_hash__in=self.pages).values_list(
            "url_hash", "fetched_at"
        )
        fetched_here = dict(known)
        newer = [
            key
            for key, (line, _) in self.pages.items()
            if key not in fetched_here or line.fetched_at >= fetched_here[key]
        ]
        if len(newer) < len(self.pages):
            older = len(self.pages) - len(newer)
            self.done.lines.append(f"{plural(older, 'page is', 'pages are')} newer here and not replaced")
        return newer

    def _date(self, document_id: int, line: PageLine, *, new: bool) -> None:
        if new:
            first, changed = line.first_seen_at or line.fetched_at, line.changed_at or line.fetched_at
            Document.objects.filter(pk=document_id).update(first_seen_at=first, changed_at=changed)

    def _store_aliases(self, generation: int) -> list[Stored]:
        """After the pages: an alias is the same text under another address, and is stored by having it."""
        wanted = {_url_hash(line.alias_of) for _, line in self.aliases}
        found = Document.objects.filter(item=self.item_id, url_hash__in=wanted, alias_of=None)
        originals = {original.url_hash: original for original in found} if wanted else {}
        prepared = []
        for number, line in self.aliases:
            original = originals.get(_url_hash(line.alias_of))
            if original is None:
                self.done.leave(number, f"alias_of: no page above has the address {line.alias_of[:200]}")
            else:
                prepared.append(prepare_document(_alias(line, original)))
        return store_documents(self.item_id, prepared, generation=generation)


def _examples(prepared: PreparedDocument, line: PageLine) -> PreparedExamples | None:
    """Those that are the exported ones get their anchors back, and what a model wrote of them."""
    if prepared.code is None:
        return None
    exported = {example_hash(one.language, one.code): one for one in line.code_examples or ()}
    examples = []
    for example in prepared.code.examples:
        one = exported.get(example.content_hash)
        if one is not None:
            example = replace(example, text=replace(example.text, anchor=storable(one.anchor)))
            if one.described_by:
                example = described(example, prepared.incoming.title, one.title, one.summary, one.described_by)
        examples.append(example)
    return replace(prepared.code, examples=tuple(examples))


def _url_hash(url: str) -> str:
    return sha256(url.encode()).hexdigest()[:DIGEST_CHARS]


def _incoming(line: PageLine) -> IncomingDocument:
    return IncomingDocument(
        url=line.url,
        url_hash=_url_hash(line.url),
        title=line.title,
        markdown=line.markdown,
        content_type=line.content_type,
        http_status=line.http_status,
        etag=line.etag,
        last_modified=line.last_modified,
        description=line.description,
        language=line.language,
        code_examples=line.code_examples is not None,
        fetched_at=line.fetched_at,
    )


def _alias(line: AliasLine, original: Document) -> IncomingDocument:
    return IncomingDocument(
        url=line.url,
        url_hash=_url_hash(line.url),
        title=original.title,
        markdown=original.markdown,
        content_type=original.content_type,
        description=original.description,
        language=original.language,
        code_examples=original.code_example_count is not None,
        fetched_at=line.fetched_at,
    )
