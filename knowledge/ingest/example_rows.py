"""Code examples as rows, with their indexes: written in the transaction that writes their page."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Sequence

from django.db.models import F

from knowledge.embedding.kinds import EXAMPLES
from knowledge.embedding.rows import remove_vectors, wake_on_commit
from knowledge.ingest.batches import Row, batches, insert
from knowledge.ingest.prepare import PreparedExample, renamed
from knowledge.models import CodeExample, Document
from knowledge.search.keyword import IndexEntry, example_index
from knowledge.search.words import IndexedText

WORDS_FIELDS = ("title", "summary", "heading_path", "text_hash", "described_by")
PLACE_FIELDS = ("ordinal", "anchor")
EXAMPLE_FIELDS = ("document", "item", *PLACE_FIELDS, *WORDS_FIELDS, "content_hash", "language", "code")


class ExampleRenewal:
    """The fewest row changes that turn the examples of some pages into the new ones: equal code keeps its id."""

    def __init__(self, documents: Collection[int]) -> None:
        """`documents` are the pages that have examples now."""
        self.old: defaultdict[int, list[CodeExample]] = defaultdict(list)
        self.removed: list[int] = []
        self.moved: list[CodeExample] = []
        self.created: list[Row] = []
        self.created_words: list[IndexedText] = []
        self.reworded: list[IndexEntry] = []
        if documents:
            rows = CodeExample.objects.filter(document__in=documents).defer("code").order_by("document", "ordinal")
            for example in rows:
                self.old[example.document_id].append(example)

    def plan(self, document: Document, new: Sequence[PreparedExample]) -> None:
        kept: defaultdict[str, deque[CodeExample]] = defaultdict(deque)
        for example in self.old.pop(document.pk, ()):
            kept[example.content_hash].append(example)
        for ordinal, prepared in enumerate(new):
            same = kept[prepared.content_hash]
            if same:
                self._keep(same.popleft(), ordinal, prepared, document.title)
            else:
                self.created.append(_example(document, ordinal, prepared))
                self.created_words.append(prepared.indexed)
        self.removed += [example.pk for examples in kept.values() for example in examples]

    def _keep(self, example: CodeExample, ordinal: int, prepared: PreparedExample, page_title: str) -> None:
        """A model's words stay with the code, under whatever headings it stands now."""
        text, indexed = prepared.text, prepared.indexed
        before = _state(example)
        example.ordinal, example.anchor, example.heading_path = ordinal, text.anchor, text.heading_path
        if example.described_by:
            example.code = text.code
            example.text_hash, indexed = renamed(example, page_title)
        else:
            example.title, example.summary, example.text_hash = text.title, text.summary, prepared.text_hash
            example.described_by = prepared.described_by
        if _state(example) != before:
            self.moved.append(example)
        if _state(example)[2:] != before[2:]:
            self.reworded.append(IndexEntry(example.pk, indexed))

    def write(self) -> None:
        if self.removed:
            remove_examples(self.removed)
        if self.moved:
            # Out of the way first: (document, ordinal) is unique after every single row.
            for pks in batches([example.pk for example in self.moved]):
                CodeExample.objects.filter(pk__in=pks).update(ordinal=-1 - F("ordinal"))
            CodeExample.objects.bulk_update(self.moved, [*PLACE_FIELDS, *WORDS_FIELDS], batch_size=100)
        if self.created:
            pks = insert(CodeExample, EXAMPLE_FIELDS, self.created)
            self.reworded += map(IndexEntry, pks, self.created_words)
        if self.reworded:
            example_index().add(self.reworded)
            wake_on_commit()


def remove_examples(pks: Sequence[int]) -> None:
    """Rows and index together. The caller keeps the counts."""
    if not pks:
        return
    example_index().remove(pks)
    for some in batches(pks):
        remove_vectors(EXAMPLES, some)
        CodeExample.objects.filter(pk__in=some).delete()


def _state(example: CodeExample) -> tuple[object, ...]:
    return tuple(getattr(example, name) for name in (*PLACE_FIELDS, *WORDS_FIELDS))


def _example(document: Document, ordinal: int, new: PreparedExample) -> Row:
    """A row of EXAMPLE_FIELDS."""
    text = new.text
    place = (document.pk, document.item_id, ordinal, text.anchor)
    words = (text.title, text.summary, text.heading_path, new.text_hash, new.described_by)
    return (*place, *words, new.content_hash, text.language, text.code)
