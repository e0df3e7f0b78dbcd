"""The lines of an exported source, and what is wrong with one that cannot be taken.

First a header, then a page a line, then the aliases, then `end`: a file without it was cut off.
A reader takes every version up to its own; new fields do not make a new version, new meanings do.
"""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from knowledge.describing.models import DESCRIBER_CHARS
from knowledge.errors import BadImport

FORMAT = "archon-source"
VERSION = 1
# The largest page with its vectors; a longer line is no page.
MAX_LINE_BYTES = 200 * 2**20
SOURCE_ID = r"[\w.-]{16,64}"

_URL = re.compile(r"(?:https?|upload)://[^\s<>\"\x00-\x1f]+\Z")


def _known_scheme(url: str) -> str:
    if not _URL.match(url):
        raise ValueError("expected an address that begins with http://, https:// or upload://")
    return url


def _of_our_time(moment: datetime) -> datetime:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not 1970 <= aware.year <= 9000:
        raise ValueError("expected a date between 1970 and 9000")
    return aware.astimezone(UTC)


Url = Annotated[str, Field(max_length=8_000), AfterValidator(_known_scheme)]
Moment = Annotated[datetime, AfterValidator(_of_our_time)]
Name = Annotated[str, Field(max_length=500)]


class Line(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=False, defer_build=True)


class SourceFacts(Line):
    source_id: str = Field(pattern=rf"^{SOURCE_ID}$")
    url: Url
    title: Name = ""
    source_type: Literal["url", "file"] = "url"
    knowledge_type: Literal["technical", "business"] = "technical"
    tags: list[Annotated[str, Field(min_length=1, max_length=100)]] = Field(default_factory=list, max_length=50)
    description: str = Field("", max_length=10_000)
    update_frequency: int = Field(7, ge=0, le=3_650)
    group_name: str = Field("", max_length=200)


class CountFacts(Line):
    """Of lines: pages and aliases."""

    pages: int = Field(0, ge=0, le=2**31 - 1)
    aliases: int = Field(0, ge=0, le=2**31 - 1)
    chunks: int = Field(0, ge=0)


class VectorFacts(Line):
    """Vectors are float32, little-endian, in base64; only those of one space can be compared."""

    space: str = Field(max_length=200)
    dimension: int = Field(ge=1, le=65_536)


class Header(Line):
    format: Literal["archon-source"]
    version: int = Field(ge=1, le=VERSION)
    exported_at: Moment | None = None
    source: SourceFacts
    counts: CountFacts = CountFacts(pages=0, aliases=0, chunks=0)
    vectors: VectorFacts | None = None


class ChunkLine(Line):
    heading_path: str = ""
    anchor: str = ""
    content: str
    vector: str | None = None


class ExampleLine(Line):
    language: str = ""
    title: str = ""
    summary: str = ""
    heading_path: str = ""
    anchor: str = ""
    code: str
    described_by: str = Field("", max_length=DESCRIBER_CHARS)


class PageLine(Line):
    """`code_examples` is null when nobody looked for them."""

    type: Literal["page"]
    url: Url
    title: str = ""
    description: str = ""
    markdown: str
    content_type: str = "text/html"
    language: str = ""
    http_status: int = Field(200, ge=0, le=999)
    etag: str = ""
    last_modified: str = ""
    fetched_at: Moment
    first_seen_at: Moment | None = None
    changed_at: Moment | None = None
    chunks: list[ChunkLine] = Field(default_factory=list)
    code_examples: list[ExampleLine] | None = None

    @field_validator("markdown")
    @classmethod
    def _has_text(cls, markdown: str) -> str:
        if not markdown.strip():
            raise ValueError("a page without text")
        return markdown


class AliasLine(Line):
    """The same content under another address; `alias_of` is the address of a page above."""

    type: Literal["alias"]
    url: Url
    alias_of: Url
    fetched_at: Moment


class EndLine(Line):
    type: Literal["end"]


Body = PageLine | AliasLine | EndLine
_BODY: TypeAdapter[Body] = TypeAdapter(Annotated[Body, Field(discriminator="type")])


def header_of(line: bytes) -> Header:
    """Raises BadImport, which says what the first line should be."""
    try:
        return Header.model_validate_json(line)
    except ValidationError as error:
        hint = "The first line is the header that `manage.py export` writes; nothing may stand before it."
        raise BadImport("import_header", f"Line 1: {fault_of(error)}", hint=hint) from None


def body_of(line: bytes) -> Body:
    """Raises ValueError with a sentence that names the field."""
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"longer than {MAX_LINE_BYTES // 2**20} MiB")
    try:
        return _BODY.validate_json(line)
    except ValidationError as error:
        raise ValueError(fault_of(error)) from None


def fault_of(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    field = ".".join(str(part) for part in first["loc"] if part not in ("page", "alias", "end"))
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else message


def packed(vector: bytes) -> str:
    return base64.b64encode(vector).decode("ascii")


def unpacked(text: str, dimension: int) -> bytes | None:
    """The bytes of a vector; None when it is none of this dimension and of length 1."""
    import numpy as np  # 10 MB; only who imports a source with vectors pays

    try:
        vector = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(vector) != 4 * dimension:
        return None
    length = float(np.linalg.norm(np.frombuffer(vector, dtype="<f4").astype(np.float64)))
    return vector if abs(length - 1.0) < 0.01 else None
