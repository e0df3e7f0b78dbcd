"""Words as the keyword index knows them: the same lexemes on SQLite and PostgreSQL, for chunks and for questions.

The databases get finished lexemes instead of text, because their own parsers disagree on the
words that matter in documentation: `useEffect`, `asyncio.run`, `--no-cache` and `__init__` are
found whole and by part, and scripts written without spaces by pairs of characters.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

LEXEME_CHARS = 100
PIECES_PER_WORD = 24
QUERY_LEXEMES = 32
# In a question of a few words none is idle: `with statement`, `is not`.
SHORT_QUESTION = 2
# A documentation site's vocabulary; beyond it the rarest words are stemmed again.
CACHED_WORDS = 1 << 16
# Chunk after chunk stands under the same headings.
RECENT_TEXTS = 512

# Combining marks belong to their word, though `\w` knows only letters and digits.
_MARKS = (
    r"\u0300-\u036f\u0591-\u05c7\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
    r"\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"
)
_LETTER = rf"[\w{_MARKS}]"
_WORD = re.compile(
    rf"(?:(?<![\w.])(?:--?|[.@$]))?{_LETTER}{{1,{LEXEME_CHARS}}}"
    rf"(?:(?:::|[.\-]){_LETTER}{{1,{LEXEME_CHARS}}}){{0,8}}(?:\+\+|\#(?!\w))?"
)
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"
    r"\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]+"
)
_COMPONENT = re.compile(rf"{_LETTER}+")
_INNER_EDGE = re.compile(
    r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[A-Za-z])(?=[0-9])|(?<=[0-9])(?=[A-Za-z])"
)
_ACCENT = re.compile(r"[\u0300-\u036f]")
# Compatibility forms unfold into whole phrases: U+FDFA alone is four words.
_NOT_IN_LEXEME = re.compile(r"[\s'\"\\]")
_ESCAPE = re.compile(r"\\([_.\-#+@$])")
_LINK_TARGET = re.compile(r"\]\((?:https?:|mailto:|[/#.])[^)\s]{0,2000}+(?:\s\"[^\"]{0,300}\")?\)")

_STOP_WORDS = """
    a about all also am an and any are as at be because been but by can could did do does doing don for from had has
    have how i if in into is it its let like me my no not of on or our please s should so some such t than that the
    their them then there these they this to us use used using want was way we were what when where which while who why
    will with would you your
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


class Forms(NamedTuple):
    """What one word is indexed under: itself, and the pieces by which it may also be asked for."""

    whole: tuple[str, ...]
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class IndexedText:
    """The columns of one chunk in the keyword index: lexemes separated by spaces."""

    title: str
    heading: str
    body: str
    parts: str


class Word(NamedTuple):
    """One word of a question: satisfied by `whole`, or by all `pieces` together."""

    whole: tuple[str, ...]
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """`lexemes` rank by any of them, `words` tell whether all were found."""

    words: tuple[Word, ...]
    lexemes: tuple[str, ...]


def indexed_text(title: str, heading: str, content: str) -> IndexedText:
    """`title` and `heading` are finished lexemes (`all_forms`), `content` is text. CPU only."""
    words = _words(content)
    return IndexedText(title, heading, _whole.joined(words), _parts.joined(words))


def _words(text: str) -> list[str]:
    return _WORD.findall(_readable(text))


def question(text: str) -> Question:
    """The words of a question; of a longer one without its stop words. Empty if there is no word at all."""
    found = _words(text)
    telling = found
    if len(found) > SHORT_QUESTION:
        telling = [word for word in found if _folded(word) not in STOP_WORDS] or found
    words: dict[Word, None] = {}
    lexemes: dict[str, None] = {}
    for raw in telling:
        word = _question_word(raw)
        if len(lexemes) + len(word.whole) + len(word.pieces) > QUERY_LEXEMES and lexemes:
            break
        words[word] = None
        lexemes.update(dict.fromkeys((*word.whole, *word.pieces)))
    return Question(tuple(words), tuple(lexemes)[:QUERY_LEXEMES])


def telling(asked: str) -> Sequence[Word]:
    """The words of a question, without those that every text holds unless it has no other."""
    words = question(asked).words
    return [word for word in words if STOP_WORDS.isdisjoint(word.whole)] or words


def says(text: str, words: Sequence[Word]) -> frozenset[Word]:
    """The words of the question that stand in the text, whole or by all their pieces."""
    forms = {form for _, _, found in spans(text) for form in (*found.whole, *found.pieces)}
    return frozenset(
        word for word in words if not forms.isdisjoint(word.whole) or (word.pieces and forms.issuperset(word.pieces))
    )


def spans(text: str) -> Iterator[tuple[int, int, Forms]]:
    """Every word with its place, for highlighting."""
    for match in _WORD.finditer(text):
        yield match.start(), match.end(), _forms(match[0])


def forms_of(word: str) -> Forms:
    if not word.isascii() and _UNSPACED.search(word):
        return _unspaced_forms(word)
    whole = _lexeme(word)
    pieces = dict.fromkeys(_pieces(word))
    pieces.pop(whole, None)
    kept = tuple(piece for piece in pieces if piece)[:PIECES_PER_WORD]
    return Forms((whole,) if whole else (), kept)


# Snippets and citations read the same words of passage after passage.
_remembered_forms = lru_cache(CACHED_WORDS)(forms_of)


def _forms(word: str) -> Forms:
    """Of what is too long to be a word nothing is remembered."""
    return _remembered_forms(word) if len(word) <= LEXEME_CHARS else forms_of(word)


class _Column(dict[str, str]):
    """Word -> its text in one column, remembered. A crawl indexes the same words over and over, and a lookup in a
    dict from C is what keeps this off the profile; it forgets all when it is full."""

    def __missing__(self, word: str) -> str:
        if len(self) >= CACHED_WORDS:
            self.clear()
        # A word that is new to one column is looked up in the other next: its forms are found once for both.
        forms = forms_of(word)
        _whole[word], _parts[word] = " ".join(forms.whole), " ".join(forms.pieces)
        return self[word]

    def joined(self, words: Iterable[str]) -> str:
        return " ".join(filter(None, map(self.__getitem__, words)))


_whole = _Column()
_parts = _Column()


def _pieces(word: str) -> Iterator[str]:
    """`--no-cache` -> no-cache, no, cache; `object.__init__` -> object, __init__, init."""
    if word.isalpha() and (word.islower() or word[1:].islower() or word.isupper()):
        return
    core = word.lstrip("-.@$").rstrip("+#")
    yield _lexeme(core)
    for component in _COMPONENT.findall(core):
        yield _lexeme(component)
        for piece in _INNER_EDGE.split(component):
            yield _lexeme(piece)


def _unspaced_forms(word: str) -> Forms:
    """Single characters answer one-character questions, pairs the longer ones."""
    whole: list[str] = []
    pieces: list[str] = []
    for run in _runs(word):
        if _UNSPACED.match(run):
            folded = _folded(run)
            whole += _pairs(folded) or [folded]
            pieces += folded if len(folded) > 1 else ""
        else:
            forms = forms_of(run)
            whole += forms.whole
            pieces += forms.pieces
    return Forms(tuple(whole), tuple(pieces))


def _question_word(raw: str) -> Word:
    forms = forms_of(raw)
    if not raw.isascii() and _UNSPACED.search(raw):
        return Word((), forms.whole)
    return Word(forms.whole, tuple(piece for piece in forms.pieces if piece not in STOP_WORDS))


def _runs(word: str) -> Iterator[str]:
    """The stretches of a word with and without spaces between words in their script."""
    end = 0
    for match in _UNSPACED.finditer(word):
        yield from _WORD.findall(word[end : match.start()])
        yield match[0]
        end = match.end()
    yield from _WORD.findall(word[end:])


def _pairs(run: str) -> list[str]:
    return [run[index : index + 2] for index in range(len(run) - 1)]


@lru_cache(RECENT_TEXTS)
def all_forms(text: str) -> str:
    """A short text's words, whole and by part, for one column."""
    found = map(_forms, _words(text))
    return " ".join(lexeme for forms in found for lexeme in (*forms.whole, *forms.pieces))


def _readable(text: str) -> str:
    """Markdown without link targets and escapes: `max\\_depth` is one word, and no one asks for a URL's parts."""
    if "](" in text:
        text = _LINK_TARGET.sub("]", text)
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def _lexeme(word: str) -> str:
    """Too long to be asked for (a key, a hash, base64): none."""
    folded = _folded(word)
    if len(folded) > LEXEME_CHARS or not folded:
        return ""
    return _stem(folded) if folded.isascii() and folded.isalpha() else folded


def _folded(word: str) -> str:
    if word.isascii():
        return word.lower()
    folded = _NOT_IN_LEXEME.sub("", unicodedata.normalize("NFKC", word).casefold())
    return unicodedata.normalize("NFC", _ACCENT.sub("", unicodedata.normalize("NFD", folded)))


@lru_cache(maxsize=CACHED_WORDS)
def _stem(word: str) -> str:
    import snowballstemmer  # brings the stemmers of 29 languages: 4 MB that a process at rest does without

    # A stemmer keeps its word in itself: one shared by two threads would mix their words up.
    stemmed: str = snowballstemmer.stemmer("english").stemWord(word)
    return stemmed
