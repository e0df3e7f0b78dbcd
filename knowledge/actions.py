"""The only ways a source changes, for REST, MCP, crawls, commands and the admin. Each ends with news on commit."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypedDict

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from knowledge import purging
from knowledge.errors import BadChange, UnknownSource
from knowledge.models import KnowledgeItem, KnowledgeItemQuerySet
from progress import tracker
from progress.errors import ProgressEnded
from progress.groups import KNOWLEDGE_TOPIC
from progress.models import Progress
from progress.publish import publish_on_commit
from progress.viewer import Viewer
from progress.wire import encode, storable

Change = Literal["created", "updated", "deleted"]
MAX_TAGS = 50
DEFAULT_FREQUENCY_DAYS = 7
TAG_CHARS = 100
SOURCE_ID_CHARS = 64


class ItemChanges(TypedDict, total=False):
    title: str
    description: str
    knowledge_type: str
    tags: Sequence[str]
    status: str
    update_frequency: int
    group_name: str
    private: bool


def knowledge_changed(source_id: str, change: Change) -> None:
    """News for the lists of sources that are open somewhere; they read the rows again."""
    news = {"type": "knowledge_changed", "source_id": source_id, "change": change}
    publish_on_commit(KNOWLEDGE_TOPIC, encode(news))


def get_or_create_item(
    *,
    source_id: str,
    url: str,
    title: str = "",
    source_type: str = "url",
    knowledge_type: str = "technical",
    tags: Iterable[str] = (),
    description: str = "",
    update_frequency: int = DEFAULT_FREQUENCY_DAYS,
    group_name: str = "",
    owner_id: int | None = None,
    private: bool = False,
) -> KnowledgeItem:
    """An existing source is returned as it is."""
    with transaction.atomic():
        found = KnowledgeItem.objects.filter(source_id=source_id).first()
        if found is not None:
            return found
        item = KnowledgeItem(
            source_id=source_id,
            url=storable(url),
            title=_title(title or url),
            source_type=source_type,
            knowledge_type=knowledge_type,
            tags=_tags(tags),
            description=storable(description),
            update_frequency=update_frequency,
            group_name=storable(group_name),
            owner_id=owner_id,
            private=private,
        )
        _check(item)
        item, created = KnowledgeItem.objects.get_or_create(source_id=source_id, defaults=_values(item))
        if created:
            knowledge_changed(source_id, "created")
    return item


def update_item(source_id: str, changes: ItemChanges, viewer: Viewer) -> KnowledgeItem:
    """Raises UnknownSource, NotOwner, and BadChange that names the field."""
    with transaction.atomic():
        item = _locked(source_id, viewer)
        for field, value in changes.items():
            setattr(item, field, _clean(field, value))
        item.updated_at = timezone.now()
        _check(item)
        item.save(update_fields=[*changes, "updated_at"])
        if "private" in changes:
            _hide_operations(item)
        knowledge_changed(source_id, "updated")
    return item


def _hide_operations(item: KnowledgeItem) -> None:
    """What was and is done for a source is seen by whom the source is seen by."""
    if item.private and item.owner_id is None:
        raise BadChange("Nobody owns this source, so nobody could see it any more.", field="private")
    owner = {"owner": item.owner_id} if item.private else {}
    Progress.objects.filter(source_id=item.source_id).update(private=item.private, **owner)


def name_item(item_id: int, title: str) -> None:
    """A source that is still called by its URL takes the title of its start page."""
    unnamed = KnowledgeItem.objects.filter(pk=item_id, title=F("url"))
    if _title(title) and unnamed.update(title=_title(title), updated_at=timezone.now()):
        knowledge_changed(KnowledgeItem.objects.values_list("source_id", flat=True).get(pk=item_id), "updated")


def delete_item(source_id: str, viewer: Viewer) -> Progress:
    """Hidden at once, purged in the background under the progress id that is returned. The id of the source is free
    for a new crawl from now on. Raises UnknownSource and NotOwner."""
    while True:
        row = _delete(source_id, viewer)
        if row is not None:
            return row


def _delete(source_id: str, viewer: Viewer) -> Progress | None:
    """None, and nothing done, when something began on the source before it was locked: that has to be ended too."""
    with transaction.atomic():
        changeable(source_id, viewer)
        _end_operations(storable(source_id))
        item = _locked(source_id, viewer)
        if _operations(storable(source_id)).exists():
            transaction.set_rollback(True)
            return None
        item.deleted_at = timezone.now()
        suffix = f"~{item.pk}"
        item.source_id = source_id[: SOURCE_ID_CHARS - len(suffix)] + suffix
        item.save(update_fields=["deleted_at", "source_id"])
        row = purging.announce(item, storable(source_id))
        knowledge_changed(source_id, "deleted")
        transaction.on_commit(_start_purge, robust=True)
    return row


def _operations(source_id: str) -> QuerySet[Progress]:
    return Progress.objects.active().filter(source_id=source_id).exclude(kind=Progress.Kind.PURGE).order_by("pk")


def _end_operations(source_id: str) -> None:
    """What runs for a source ends with it. Progress is locked before the item, as every writer of pages does."""
    for progress_id in _operations(source_id).values_list("pk", flat=True):
        with contextlib.suppress(ProgressEnded):
            tracker.cancel(progress_id, lines=["Cancelled: the source was deleted."])


def _start_purge() -> None:
    from knowledge.tasks import purge

    purge.delay()


def _locked(source_id: str, viewer: Viewer) -> KnowledgeItem:
    return changeable(source_id, viewer, KnowledgeItem.objects.select_for_update(no_key=True, of=("self",)))


def changeable(source_id: str, viewer: Viewer, items: KnowledgeItemQuerySet | None = None) -> KnowledgeItem:
    """Raises UnknownSource for what the viewer does not see, and NotOwner for what is another's."""
    rows: KnowledgeItemQuerySet = KnowledgeItem.objects.all() if items is None else items
    item: KnowledgeItem | None = rows.visible_to(viewer).filter(source_id=storable(source_id)).first()
    if item is None:
        raise UnknownSource.of(source_id)
    viewer.must_own(f"The source {item.title!r}", item.owner_id)
    return item


def private_id(base: str, owner_id: int | None) -> str:
    """The id of a source, from the one that everybody would give it, as this account gives it.

    Two accounts may keep the same site, and from neither's id can it be told that the other does.
    """
    return base if owner_id is None else hashlib.sha256(f"{base} of account {owner_id}".encode()).hexdigest()[:16]


def _check(item: KnowledgeItem) -> None:
    """The model's own rules; the first fault names its field."""
    try:
        item.clean_fields()
    except ValidationError as error:
        field, messages = next(iter(error.message_dict.items()))
        raise BadChange(f"{field}: {messages[0]}", field=field) from None


def _values(item: KnowledgeItem) -> dict[str, Any]:
    names = (
        "url",
        "title",
        "source_type",
        "knowledge_type",
        "tags",
        "description",
        "update_frequency",
        "group_name",
        "owner_id",
        "private",
    )
    return {name: getattr(item, name) for name in names}


def _clean(field: str, value: Any) -> Any:
    if field == "tags":
        return _tags(value)
    if field == "title":
        return _title(value)
    return storable(value) if isinstance(value, str) else value


def _title(title: str) -> str:
    return storable(title).strip()[:500]


def _tags(tags: Iterable[str]) -> list[str]:
    """Trimmed, each once, in the order given."""
    cleaned = list(dict.fromkeys(tag for tag in (storable(tag).strip() for tag in tags) if tag))
    if len(cleaned) > MAX_TAGS:
        raise BadChange(f"There are {len(cleaned)} tags: expected at most {MAX_TAGS}.", field="tags")
    if any(len(tag) > TAG_CHARS for tag in cleaned):
        raise BadChange(f"A tag is longer than {TAG_CHARS} characters.", field="tags")
    return cleaned
