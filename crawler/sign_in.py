"""A page that asks who one is instead of saying anything: nothing of it is worth keeping."""

import re

from crawler.urls import path_and_query

# Why the address of one is skipped, and what can be done.
SIGN_IN = "sign_in"
SIGN_IN_HINT = "Archon signs in nowhere: crawl an address that is public, or save the pages and upload them."

# With so little text besides, a field for a password makes a page one.
LITTLE_TEXT = 300
# And with so much, when its address or its title say so too: cookies, terms, other languages.
SOME_TEXT = 2_000
# Bounded, so that a tag without an end costs no more than its beginning.
_FIELD = re.compile(
    r"""<input\b[^<>]{0,1000}\b(?:type\s*=\s*["']?password|autocomplete\s*=\s*["']?(?:username|current-password))\b""",
    re.IGNORECASE,
)
_NAMES = re.compile(r"\b(?:log|sign)[ _-]?(?:in|on)\b|\bsso\b|\bauth|\banmeld|\bconnexion\b|\biniciar\b", re.IGNORECASE)
_TARGET = re.compile(r"\]\([^()\s]*\)")


def asks_to_sign_in(html: str, url: str, title: str, markdown: str) -> bool:
    """Whether the page is a sign-in form and next to nothing else. One with a form beside its text is not."""
    if len(markdown) > 4 * SOME_TEXT:  # most pages: asked no further
        return False
    chars = len(_TARGET.sub("]", markdown))
    if chars > SOME_TEXT or (chars > LITTLE_TEXT and not _NAMES.search(f"{title} {path_and_query(url)[0]}")):
        return False
    return _FIELD.search(html) is not None


def sign_in_message(url: str) -> str:
    return f"{url} shows a sign-in form and next to nothing else."
