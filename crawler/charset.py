"""Bytes of a web page to text, in the order of the WHATWG: BOM, header, meta, then UTF-8, then windows-1252."""

import codecs
import re

_BOMS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_META = re.compile(rb"""<meta[^>]{0,400}?charset\s*=\s*["']?\s*([A-Za-z0-9_:.+-]{2,40})""", re.IGNORECASE)
_XML = re.compile(rb"""^\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([A-Za-z0-9_:.+-]{2,40})["']""", re.IGNORECASE)
META_BYTES = 4_096  # the standard looks at 1,024; some generators write long comments first

# Python's names of the encodings a browser knows, with what a browser reads for each. All else, UTF-7 above all, is
# refused: an encoding that hides < from us would smuggle markup past every later check.
_BROWSER_ENCODINGS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "euc_jp": "euc_jp",
    "iso2022_jp": "iso2022_jp",
    "shift_jis": "cp932",
    "cp932": "cp932",
    "euc_kr": "cp949",
    "cp949": "cp949",
    "utf-8": "utf-8",
    "utf-16": "utf-16-le",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "koi8-r": "koi8-r",
    "koi8-u": "koi8-u",
    "mac-roman": "mac-roman",
    "mac-cyrillic": "mac-cyrillic",
    "cp866": "cp866",
    "cp874": "cp874",
    **{f"cp125{n}": f"cp125{n}" for n in range(9)},
    **{f"iso8859-{n}": f"iso8859-{n}" for n in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)},
}


def decode(body: bytes, header_charset: str | None) -> str:
    """Never fails: what cannot be decoded becomes U+FFFD."""
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return body[len(bom) :].decode(encoding, "replace")
    declared = browser_encoding(header_charset) or _meta_encoding(body)
    if declared:
        return body.decode(declared, "replace")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")


def browser_encoding(label: str | None) -> str | None:
    """The codec a browser would use for this label, or None when it would ignore the label."""
    if not label:
        return None
    try:
        return _BROWSER_ENCODINGS.get(codecs.lookup(label.strip("\"' ")).name)
    except (LookupError, ValueError, UnicodeError):
        return None


def _meta_encoding(body: bytes) -> str | None:
    head = body[:META_BYTES]
    match = _XML.match(head) or _META.search(head)
    encoding = browser_encoding(match[1].decode("ascii")) if match else None
    # A page that can be read as ASCII up to its meta element is not UTF-16, whatever the element says.
    return "utf-8" if encoding and encoding.startswith("utf-16") else encoding
