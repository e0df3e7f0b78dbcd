"""An answer without a language model: the sentences of the best passages that say most of what was asked, cited.

Pure text work, the same answer for the same passages. Code stays whole and stands behind the sentence it follows.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from knowledge.search import SearchHit
from knowledge.search.words import Word, says, telling

SENTENCES = 6
PASSAGES_USED = 4
CODE_CHARS = 1_500
SENTENCE_CHARS = 600
# Of the weight of what was asked, so much must be found in all chosen sentences, their headings included.
LEAST_COVERED = 0.4
# A sentence that says so little of it is not worth its line.
LEAST_SAID = 0.2
# And so much of what the best sentence is worth it must be; what was said already counts less each time.
WORTH_OF_BEST, REPEATED = 0.4, 0.75
# How much the ranking of its passage adds to a sentence, how much its heading does, and how much code behind it.
RANK_WEIGHT, HEADING_WEIGHT, CODE_WEIGHT = 0.5, 0.25, 0.1
# A sentence that begins by pointing at the one before it says less when it stands alone.
DANGLING_WEIGHT = 0.5

_FENCE = re.compile(r"^[ \t]*(`{3,}|~{3,})")
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9`\"'(\[*_])|(?<=[。\uff01\uff1f])")
_HEADING = re.compile(r"^#{1,6}\s")
_ROW = re.compile(r"^\s*\|")
_QUOTE = re.compile(r"^ {0,3}>(?!>) ?")
_RULE = re.compile(r"^\s*(?:[-*_=]\s*){3,}$")
_IMAGE = re.compile(r"!\[[^\]]*\]\([^)]*\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_DANGLING = re.compile(
    r"(?:this|that|these|those|such|however|also|but|and|so|then|thus|therefore|otherwise|instead|hence"
    r"|in (?:either|this|that|such|these|both) cases?)\b(?! (?:module|function|class|method|command|chapter)\b)",
    re.IGNORECASE,
)
_ITEM = re.compile(r"^\s*(?:[-*+]|\d{1,3}[.)])\s+")


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, list item or table of a passage. `code` is the block that follows it, fence and all."""

    passage: int
    place: int
    text: str
    code: str = ""


@dataclass(frozen=True, slots=True)
class _Scored:
    sentence: Sentence
    score: float
    says: frozenset[Word]


def extract(asked: str, passages: Sequence[SearchHit]) -> str:
    """Markdown with a marker `[n]` behind what comes from passage n; empty when the passages do not answer."""
    words = telling(asked)
    sentences = [sentence for number, hit in enumerate(passages) for sentence in sentences_of(number, hit.content)]
    weights = _weights(words, sentences, passages)
    scored = [_score(sentence, passages[sentence.passage], weights) for sentence in sentences]
    chosen = _choose([one for one in scored if one.score >= LEAST_SAID], weights)
    covered = sum(weights[word] for word in frozenset().union(*(one.says for one in chosen)))
    if not chosen or covered < LEAST_COVERED:
        return ""
    return "\n\n".join(_told(chosen))


def _weights(words: Sequence[Word], sentences: Sequence[Sentence], passages: Sequence[SearchHit]) -> dict[Word, float]:
    """A word that few of the sentences hold tells more. They add up to 1."""
    held = Counter(word for sentence in sentences for word in says(sentence.text + sentence.code, words))
    total = len(sentences) + 1
    raw = {word: math.log(1 + total / (1 + held[word])) for word in words}
    whole = sum(raw.values()) or 1.0
    return {word: weight / whole for word, weight in raw.items()}


def _score(sentence: Sentence, hit: SearchHit, weights: dict[Word, float]) -> _Scored:
    words = list(weights)
    own = says(sentence.text, words)
    heading = says(hit.heading_path or hit.title, words) - own
    code = says(sentence.code, words) - own
    said = sum(weights[word] for word in own) + HEADING_WEIGHT * sum(weights[word] for word in heading)
    said += 0.5 * sum(weights[word] for word in code - heading)
    bonus = CODE_WEIGHT if sentence.code else 0.0
    early = 0.1 / (1 + sentence.place)
    score = said * (1 + RANK_WEIGHT * hit.score + bonus + early)
    if _DANGLING.match(sentence.text):
        score *= DANGLING_WEIGHT
    return _Scored(sentence, score, own | heading | code)


def _choose(scored: list[_Scored], weights: dict[Word, float]) -> list[_Scored]:
    """The best, each worth less the more of what it says has been said; in the order of their passages."""
    chosen: list[_Scored] = []
    said: Counter[Word] = Counter()
    left = {id(one): one for one in scored}
    while left and len(chosen) < SENTENCES:
        used = {one.sentence.passage for one in chosen}
        open_to = [one for one in left.values() if len(used) < PASSAGES_USED or one.sentence.passage in used]
        best = max(
            open_to, key=lambda one: (_worth(one, said), -one.sentence.passage, -one.sentence.place), default=None
        )
        if best is None or (chosen and _worth(best, said) < WORTH_OF_BEST * chosen[0].score):
            break
        del left[id(best)]
        if any(best.sentence.text == one.sentence.text for one in chosen):
            continue
        chosen.append(best)
        said.update(best.says)
    first: dict[int, int] = {}
    for rank, one in enumerate(chosen):
        first.setdefault(one.sentence.passage, rank)
    return sorted(chosen, key=lambda one: (first[one.sentence.passage], one.sentence.place))


def _worth(one: _Scored, said: Counter[Word]) -> float:
    repeats = min((said[word] for word in one.says), default=0)
    return one.score * REPEATED**repeats


def _told(chosen: Sequence[_Scored]) -> Iterator[str]:
    """One paragraph for each run of sentences from one passage; a marker ends it, code follows it."""
    passage, texts = -1, list[str]()
    for one in chosen:
        sentence = one.sentence
        if texts and sentence.passage != passage:
            yield _paragraph(texts, passage)
            texts = []
        passage = sentence.passage
        texts.append(sentence.text)
        if sentence.code:
            yield _paragraph(texts, passage)
            yield sentence.code
            texts = []
    if texts:
        yield _paragraph(texts, passage)


def _paragraph(texts: list[str], passage: int) -> str:
    return f"{' '.join(texts)} [{passage + 1}]"


# ---- a passage in sentences ----


def sentences_of(passage: int, content: str) -> list[Sentence]:
    """Sentences and list items without their markup, each with the code that follows it."""
    found: list[Sentence] = []
    lead = ""
    for is_code, text in _blocks(content):
        if is_code:
            if found and not found[-1].code and len(text) <= CODE_CHARS:
                last = found[-1]
                found[-1] = Sentence(passage, last.place, last.text, text)
            elif not found and len(text) <= CODE_CHARS:
                lead = text
            continue
        for sentence in _sentences(text):
            found.append(Sentence(passage, len(found), sentence, lead))
            lead = ""
    if lead:
        found.append(Sentence(passage, 0, "An example:", lead))
    return found


def _blocks(content: str) -> Iterator[tuple[bool, str]]:
    """(is code, text) of each fenced block, paragraph and list item."""
    lines: list[str] = []
    fence, fence_is_quoted = "", False
    for raw in content.splitlines():
        # A quotation is text as any other; within a block of code only if the block began within it.
        line = raw if fence and not fence_is_quoted else _QUOTE.sub("", raw)
        opened = _FENCE.match(line)
        if fence:
            lines.append(line)
            if opened and line.strip() == line.strip()[0] * len(line.strip()) and line.strip().startswith(fence):
                yield True, "\n".join(lines)
                lines, fence = [], ""
        elif opened or not line.strip() or _ITEM.match(line) or _HEADING.match(line):
            if lines:
                yield False, "\n".join(lines)
            lines = [line] if line.strip() and not _HEADING.match(line) else []
            fence, fence_is_quoted = (opened[1], line != raw) if opened else ("", False)
        else:
            lines.append(line)
    if lines:
        yield (True, "\n".join([*lines, fence])) if fence else (False, "\n".join(lines))


def _sentences(block: str) -> Iterator[str]:
    lines = [line for line in block.splitlines() if not _RULE.match(line) and not _ROW.match(line)]
    text = " ".join(_ITEM.sub("", line).strip() for line in lines)
    text = _LINK.sub(r"\1", _IMAGE.sub("", text))
    for sentence in _SENTENCE.split(text):
        cleaned = " ".join(sentence.split())
        if any(letter.isalpha() for letter in cleaned):
            yield cleaned if len(cleaned) <= SENTENCE_CHARS else cleaned[:SENTENCE_CHARS].rsplit(" ", 1)[0] + " …"
