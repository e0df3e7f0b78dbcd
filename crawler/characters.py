"""Characters that no reader sees: they hide text from people, or from search, and break storage."""

import re

# Not the joiners U+200C and U+200D: Persian, Indic scripts and emoji need them, beside their own characters.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f"  # control characters but tab and line ends
    "\u00ad\u061c\u180e\u200b\u200e\u200f"  # soft hyphen, marks and spaces without width
    "\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # bidirectional overrides and isolates, invisible operators
    "\ud800-\udfff"  # lone surrogates, which UTF-8 cannot hold
    "\U000e0000-\U000e007f]"  # tags: ASCII in invisible ink
)
_ASCII_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_STRAY_JOINER = re.compile("(?<![^\x00-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\x00-\x7f])")


def visible(text: str) -> str:
    """The text without invisible characters, its lines ending in a line feed."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii():
        return _ASCII_UNSEEN.sub("", text)
    text = _UNSEEN.sub("", text)
    return _STRAY_JOINER.sub("", text) if "\u200c" in text or "\u200d" in text else text
