"""Everything that can go wrong with knowledge, as one tree.

KnowledgeError
├── UnknownSource    404  no source has this id
├── UnknownPage      404  no page has this id or URL
├── BadQuery         422  the question cannot be searched for
├── BadChange        422  a source cannot take this value
├── UnknownUpload    404  no upload has this progress id
├── BadUpload        422  these files cannot be taken
├── UsedUp           429  the account took what it may take for now
│   └── DiskFull     507  the disk has no room
├── UploadTooLarge   413  a file is larger than the operator allows
├── BadImport        422  this file is no exported source
├── ImportRunning    409  this source is being imported
└── ImportTooLarge   413  an exported source is larger than the operator allows
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from progress.usage import Refusal


class KnowledgeError(Exception):
    """Carries a machine `code`, a sentence for people, the next step, and the input at fault if there is one."""

    http_status: ClassVar[int] = 422
    code: str = "knowledge_error"

    def __init__(self, message: str, *, code: str = "", hint: str = "", field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.hint = hint
        self.field = field


class UnknownSource(KnowledgeError):
    http_status = 404
    code = "source_unknown"

    @classmethod
    def of(cls, source_id: str, *, field: str = "source_id") -> UnknownSource:
        hint = "GET /api/knowledge-items/sources lists the sources."
        return cls(f"No source has the id {source_id[:80]!r}.", hint=hint, field=field)


class UnknownPage(KnowledgeError):
    http_status = 404
    code = "page_unknown"


class BadQuery(KnowledgeError):
    code = "query_bad"


class BadChange(KnowledgeError):
    code = "change_bad"


class UnknownUpload(KnowledgeError):
    http_status = 404
    code = "upload_unknown"


class BadUpload(KnowledgeError):
    """Codes: upload_without_file, upload_too_many, upload_tags, upload_running, and those of a file."""

    def __init__(self, code: str, message: str, *, hint: str = "", field: str = "file") -> None:
        super().__init__(message, code=code, hint=hint, field=field)


class UsedUp(KnowledgeError):
    """Codes: bytes_per_day, stored_bytes, questions_per_hour. `retry_after` are seconds."""

    http_status = 429

    def __init__(self, refused: Refusal) -> None:
        super().__init__(refused.message, code=refused.code, hint=refused.hint)
        self.retry_after = refused.retry_after


class DiskFull(UsedUp):
    http_status = 507


class UploadTooLarge(KnowledgeError):
    http_status = 413
    code = "file_too_large"

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(
            f"{name} is larger than {limit / 2**20:,.0f} MiB.",
            hint="Split it. The operator can raise the limit with ARCHON_UPLOAD_MAX_BYTES.",
            field="file",
        )


class BadImport(KnowledgeError):
    """Codes: import_header, import_without_file."""

    def __init__(self, code: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, code=code, hint=hint, field="file")


class ImportRunning(KnowledgeError):
    http_status = 409
    code = "import_running"


class ImportTooLarge(KnowledgeError):
    http_status = 413
    code = "import_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The file is larger than {limit / 2**20:,.0f} MiB.",
            hint="`manage.py import FILE` takes it on the server; ARCHON_IMPORT_MAX_BYTES raises the limit.",
            field="file",
        )
