"""What was learned: sources (KnowledgeItem), their pages (Document), and what is searched in these: passages (Chunk)
and code (CodeExample)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.conf import settings
from django.core.validators import MinLengthValidator
from django.db import models
from django.db.models.lookups import Lookup
from django.utils import timezone

# Django looks for models here.
from knowledge.chat.models import ChatEvent as ChatEvent
from knowledge.chat.models import ChatMessage as ChatMessage
from knowledge.chat.models import ChatSession as ChatSession
from knowledge.describing.models import DESCRIBER_CHARS
from knowledge.describing.models import Describer as Describer
from knowledge.embedding.models import ChunkVector as ChunkVector
from knowledge.embedding.models import EmbeddingSpace as EmbeddingSpace
from knowledge.embedding.models import EmbeddingTurn as EmbeddingTurn
from knowledge.embedding.models import ExampleVector as ExampleVector
from progress.viewer import Viewer

DIGEST_CHARS = 32
# A century: a larger number means never, and would overflow a date.
MAX_FREQUENCY_DAYS = 36_500


class TagsField(models.JSONField):
    """A JSON list of words, with the lookup `tags__has_tag`."""


@TagsField.register_lookup
class HasTag(Lookup):
    """JSONField's own `contains` does not exist on SQLite."""

    lookup_name = "has_tag"
    prepare_rhs = False

    def get_db_prep_lookup(self, value: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (value,)

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, column_params = self.process_lhs(compiler, connection)
        value, value_params = self.process_rhs(compiler, connection)
        sql = f"EXISTS (SELECT 1 FROM json_each({column}) WHERE json_each.value = {value})"  # noqa: S608 (both are placeholders or column names)
        return sql, [*column_params, *value_params]

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        column, column_params = self.process_lhs(compiler, connection)
        value, value_params = self.process_rhs(compiler, connection)
        return f"{column} @> jsonb_build_array({value}::text)", [*column_params, *value_params]


class KnowledgeItemQuerySet(models.QuerySet["KnowledgeItem"]):
    def visible(self) -> Self:
        """Hidden sources only wait for the purge."""
        return self.filter(deleted_at__isnull=True)

    def visible_to(self, viewer: Viewer) -> Self:
        """What is asked for on somebody's behalf: of the others it must not be said that they exist."""
        return self.visible().filter(viewer.seen())

    def tagged(self, tags: Iterable[str]) -> Self:
        """The sources that carry every one of these tags."""
        matching = self
        for tag in tags:
            matching = matching.filter(tags__has_tag=tag)
        return matching

    def mentioning(self, text: str) -> Self:
        in_title = models.Q(title__icontains=text) | models.Q(url__icontains=text)
        return self.filter(in_title | models.Q(description__icontains=text) | models.Q(source_id=text))

    def due_for_refresh(self, now: datetime) -> Self:
        """Sources whose pages are older than their `update_frequency`; 0 days means never."""
        crawled = self.visible().filter(source_type="url", update_frequency__range=(1, MAX_FREQUENCY_DAYS))
        # One condition per frequency in use: SQLite cannot multiply a column with a duration.
        old = models.Q(pk__in=[])
        for days in crawled.order_by().values_list("update_frequency", flat=True).distinct():
            old |= models.Q(update_frequency=days, fetched_at__lte=now - timedelta(days=days))
        return crawled.filter(old)

    def newest_first(self) -> Self:
        return self.order_by("-updated_at", "-pk")


class KnowledgeItem(models.Model):
    """A source. The four counts hold the sums of its rows, kept in the transaction that writes the rows."""

    class SourceType(models.TextChoices):
        URL = "url"
        FILE = "file"

    class KnowledgeType(models.TextChoices):
        TECHNICAL = "technical"
        BUSINESS = "business"

    class Status(models.TextChoices):
        ACTIVE = "active"
        PROCESSING = "processing"
        ERROR = "error"

    source_id = models.CharField(max_length=64, unique=True, validators=[MinLengthValidator(16)])
    title = models.CharField(max_length=500)
    url = models.TextField()
    source_type = models.CharField(max_length=8, choices=SourceType.choices, default=SourceType.URL)
    knowledge_type = models.CharField(max_length=16, choices=KnowledgeType.choices, default=KnowledgeType.TECHNICAL)
    tags = TagsField(default=list, blank=True)
    description = models.TextField(blank=True)
    update_frequency = models.PositiveIntegerField(default=7, help_text="Days between refreshes.")
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACTIVE)
    group_name = models.CharField(max_length=200, blank=True)

    # Null: a source of local mode, of a command, or of an account that is gone.
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True)
    # A default of the column, too: a worker of the version before still adds rows while a server is upgraded.
    private = models.BooleanField(default=False, db_default=False, help_text="Exists for its owner alone.")

    document_count = models.PositiveIntegerField(default=0)
    chunk_count = models.PositiveIntegerField(default=0)
    word_count = models.PositiveBigIntegerField(default=0)
    code_example_count = models.PositiveIntegerField(default=0)

    fetched_at = models.DateTimeField(null=True, blank=True, help_text="When a page was last fetched.")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now, db_index=True)
    deleted_at = models.DateTimeField(null=True, blank=True, db_index=True)

    objects: ClassVar[models.Manager[KnowledgeItem]] = KnowledgeItemQuerySet.as_manager()

    class Meta:
        ordering = ("-updated_at", "-id")

    def __str__(self) -> str:
        return self.title or self.source_id


class DocumentQuerySet(models.QuerySet["Document"]):
    def visible(self) -> Self:
        return self.filter(item__deleted_at__isnull=True)

    def pages(self) -> Self:
        """One row per content: aliases left out."""
        return self.filter(alias_of__isnull=True)

    def without_text(self) -> Self:
        """A page may hold megabytes; a list of pages needs none of them."""
        return self.defer("markdown")


class Document(models.Model):
    """A page or file. An alias is the same content under a second URL of the source: it holds no text and no chunks."""

    item = models.ForeignKey(KnowledgeItem, on_delete=models.CASCADE, related_name="documents", db_index=False)
    url = models.TextField()
    # The first 32 hex characters of the SHA-256 of the canonical URL.
    url_hash = models.CharField(max_length=DIGEST_CHARS, db_index=True)
    alias_of = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="aliases")
    content_hash = models.CharField(max_length=DIGEST_CHARS)
    generation = models.PositiveIntegerField(default=0)
    word_count = models.PositiveIntegerField(default=0)
    char_count = models.PositiveIntegerField(default=0)
    chunk_count = models.PositiveIntegerField(default=0)
    # Null: the code of this page was never looked for.
    code_example_count = models.PositiveIntegerField(null=True, blank=True)
    # How many code blocks are no example, by reason: {"short": 3, "prose": 1}.
    code_left_out = models.JSONField(default=dict, blank=True)
    http_status = models.PositiveSmallIntegerField(default=200)
    fetched_at = models.DateTimeField()
    first_seen_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    title = models.TextField(blank=True)
    description = models.TextField(blank=True)
    content_type = models.CharField(max_length=128, default="text/html")
    language = models.CharField(max_length=35, blank=True)
    etag = models.TextField(blank=True)
    last_modified = models.TextField(blank=True)
    markdown = models.TextField(blank=True)

    objects: ClassVar[models.Manager[Document]] = DocumentQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["item", "url_hash"], name="document_item_url"),)
        indexes = (
            models.Index(fields=["item", "content_hash"], name="document_item_content"),
            models.Index(fields=["item", "id"], name="document_item_id"),
        )

    def __str__(self) -> str:
        return self.title or self.url


class PageRevision(models.Model):
    """What a page said before it changed: its Markdown in UTF-8, compressed by zlib. It goes with its page."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="revisions")
    # From when on, and until when the page said this.
    since = models.DateTimeField()
    replaced_at = models.DateTimeField(default=timezone.now)
    title = models.TextField(blank=True)
    # Of `packed`, in bytes: what the bound of all of them is summed up from.
    size = models.PositiveIntegerField()
    packed = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.title} until {self.replaced_at:%Y-%m-%d %H:%M}"


class RemovedPage(models.Model):
    """That a page was here: kept for a while after it left its site, so that lists of changes can tell."""

    item = models.ForeignKey(KnowledgeItem, on_delete=models.CASCADE, related_name="removed_pages", db_index=False)
    # The id that the page had; nothing is found under it any more.
    page_id = models.BigIntegerField()
    url = models.TextField()
    title = models.TextField(blank=True)
    removed_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = (models.Index(fields=["item", "removed_at"], name="removed_item_time"),)

    def __str__(self) -> str:
        return self.title or self.url


class ChunkQuerySet(models.QuerySet["Chunk"]):
    def visible(self) -> Self:
        return self.filter(item__deleted_at__isnull=True)

    def in_reading_order(self) -> Self:
        return self.order_by("item", "document", "ordinal")


class Chunk(models.Model):
    """A passage of a page, under its headings. The keyword index holds one row per chunk under the same id.

    `content` stands last: SQLite then reads the other columns without touching its overflow pages.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    item = models.ForeignKey(KnowledgeItem, on_delete=models.CASCADE, related_name="chunks", db_index=False)
    # Negative only inside the transaction that puts a page's chunks into a new order.
    ordinal = models.IntegerField()
    content_hash = models.CharField(max_length=DIGEST_CHARS)
    char_count = models.PositiveIntegerField()
    heading_path = models.TextField(blank=True)
    anchor = models.TextField(blank=True)
    content = models.TextField()

    objects: ClassVar[models.Manager[Chunk]] = ChunkQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["document", "ordinal"], name="chunk_document_ordinal"),)
        indexes = (models.Index(fields=["item", "document", "ordinal"], name="chunk_reading_order"),)

    def __str__(self) -> str:
        return f"{self.heading_path or self.content[:60]} #{self.ordinal}"

    @property
    def url(self) -> str:
        """The page's URL, down to the heading when it has an anchor; a section of a file has a fragment already."""
        return f"{self.document.url.partition('#')[0]}#{self.anchor}" if self.anchor else self.document.url


class CodeExampleQuerySet(models.QuerySet["CodeExample"]):
    def visible(self) -> Self:
        return self.filter(item__deleted_at__isnull=True)

    def in_reading_order(self) -> Self:
        return self.order_by("item", "document", "ordinal")


class CodeExample(models.Model):
    """A piece of code of a page, with what the page says of it. The keyword index holds one row per example.

    `content_hash` covers the code and its language: an example whose surroundings change is still the same one.
    `text_hash` covers what is embedded of it, which changes with its title and summary. These are the page's own words
    until a language model wrote better ones; then they stay as long as the code does.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="code_examples", db_index=False)
    item = models.ForeignKey(KnowledgeItem, on_delete=models.CASCADE, related_name="code_examples", db_index=False)
    # Negative only inside the transaction that puts a page's examples into a new order.
    ordinal = models.IntegerField()
    content_hash = models.CharField(max_length=DIGEST_CHARS)
    text_hash = models.CharField(max_length=DIGEST_CHARS)
    language = models.CharField(max_length=40, blank=True)
    title = models.CharField(max_length=200, blank=True)
    summary = models.TextField(blank=True)
    heading_path = models.TextField(blank=True)
    anchor = models.TextField(blank=True)
    code = models.TextField()
    # The model that wrote title and summary; empty: the page itself. Defaults of the columns, too: as `private` above.
    described_by = models.CharField(max_length=DESCRIBER_CHARS, blank=True, default="", db_default="")
    # How often a model failed at this very code, and why; not tried again before `describe_at`.
    describe_attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    describe_error = models.TextField(blank=True, default="", db_default="")
    describe_at = models.DateTimeField(null=True, blank=True)

    objects: ClassVar[models.Manager[CodeExample]] = CodeExampleQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=["document", "ordinal"], name="example_document_ordinal"),)
        indexes = (
            models.Index(fields=["item", "document", "ordinal"], name="example_reading_order"),
            models.Index(fields=["id"], condition=models.Q(described_by=""), name="example_undescribed"),
        )

    def __str__(self) -> str:
        return f"{self.title or self.code[:60]} #{self.ordinal}"

    @property
    def url(self) -> str:
        """The page's URL, down to the heading; as of a chunk."""
        return f"{self.document.url.partition('#')[0]}#{self.anchor}" if self.anchor else self.document.url


class Upload(models.Model):
    """Files that were handed in and wait to be read, or are: the task knows its id and nothing else.

    `originals` are {name, path, size}, the paths below the uploads folder. A worker holds it by `lease_until`;
    `epoch` rises with every attempt, and is added to `generation` so that an attempt counts its documents anew.
    """

    item = models.ForeignKey(KnowledgeItem, on_delete=models.CASCADE, related_name="uploads")
    progress = models.OneToOneField("progress.Progress", on_delete=models.CASCADE, related_name="upload")
    originals = models.JSONField(default=list)
    extract_code_examples = models.BooleanField(default=True)
    generation = models.PositiveIntegerField(default=0)
    epoch = models.PositiveIntegerField(default=0)
    lease_until = models.DateTimeField(null=True, blank=True)
    woken_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return f"{', '.join(original['name'] for original in self.originals[:3])} ({self.progress_id})"


class UploadedFile(models.Model):
    """What became of one file, or of one stretch of a large one."""

    class State(models.TextChoices):
        DONE = "done"
        FAILED = "failed"

    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="files")
    name = models.TextField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.DONE)
    reason = models.CharField(max_length=64, blank=True)
    content_type = models.CharField(max_length=128, blank=True)
    size = models.PositiveBigIntegerField(default=0)
    chunks = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=64, blank=True)
    error_message = models.TextField(blank=True)
    error_hint = models.TextField(blank=True)
    document = models.ForeignKey(Document, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ("id",)

    def __str__(self) -> str:
        return f"{self.state} {self.name}"
