"""Whether an account may upload or ask more for now, and whether its sources may keep more."""

from __future__ import annotations

from django.conf import settings
from django.db.models import Sum

from knowledge.errors import DiskFull, UsedUp
from knowledge.models import Document
from progress import disk, usage
from progress.usage import MEBIBYTE, Refusal

# Room comes when somebody deletes: nobody can say when.
LOOK_AGAIN_SECONDS = 600


def check(owner_id: int | None, kind: usage.Kind) -> None:
    """Raises UsedUp when `refusal` says why, and DiskFull where bytes are asked for and the disk has no room."""
    if kind == usage.Kind.BYTES and (full := disk.refusal(disk.free_megabytes())):
        raise DiskFull(full)
    refused = refusal(owner_id, kind)
    if refused is not None:
        raise UsedUp(refused)


def refusal(owner_id: int | None, *kinds: usage.Kind) -> Refusal | None:
    """Why not: this account, or all together, took what they may, or, where bytes are asked for, its sources keep what
    they may."""
    refused = usage.refusal(owner_id, *kinds)
    return refused or (_refusal_to_keep(owner_id) if usage.Kind.BYTES in kinds else None)


def _refusal_to_keep(owner_id: int | None) -> Refusal | None:
    """Why the sources of this account may not grow; None: they may. What is deleted counts no more at once."""
    most = settings.STORED_MEGABYTES * MEBIBYTE
    if not most or owner_id is None:
        return None
    # Kept with each page when it is stored: to read the texts themselves would take seconds.
    texts = Document.objects.visible().filter(item__owner=owner_id)
    kept = int(texts.aggregate(total=Sum("char_count"))["total"] or 0)
    if kept < most:
        return None
    return Refusal(
        "stored_bytes",
        f"The sources of this account keep {kept // MEBIBYTE:,} MiB of text; {most // MEBIBYTE:,} are allowed.",
        "Delete a source. The operator can raise ARCHON_STORED_MEGABYTES.",
        LOOK_AGAIN_SECONDS,
    )
