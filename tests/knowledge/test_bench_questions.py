"""The questions of `make bench-search` are what the documentation's own structure says, and `eval` can read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowledge.search.evaluation import read_questions
from tests.benchmarks.search.code import code_questions, digest
from tests.benchmarks.search.questions import questions

FILES = {
    "py-modindex.html": """<table>
        <tr class="cap"><td></td><td><strong>a</strong></td><td></td></tr>
        <tr><td></td><td><a href="library/abc.html#module-abc"><code>abc</code></a></td>
            <td><em>Abstract base classes according to :pep:`3119`.</em></td></tr>
        <tr><td></td><td><a href="library/bare.html#module-bare"><code>bare</code></a></td><td><em></em></td></tr>
    </table>""",
    "genindex-W.html": """<table class="indextable genindextable"><tr><td><ul>
        <li><a href="library/os.html#os.W_OK">W_OK (in module os)</a></li>
        <li><a href="reference/expressions.html#index-86">walrus operator</a></li>
        <li><a href="whatsnew/3.8.html#index-1">weak news</a></li>
        <li>with<ul><li><a href="reference/compound_stmts.html#index-16">with statement</a></li></ul></li>
        <li><a href="reference/datamodel.html#index-103">with statement</a></li>
    </ul></td></tr></table>""",
    "glossary.html": """<dl class="glossary">
        <dt id="term-0"><code>&gt;&gt;&gt;</code></dt><dd><p>The prompt.</p></dd>
        <dt id="term-task">task<a class="headerlink" href="#term-task">¶</a></dt>
        <dd><p>A <a class="reference internal" href="#term-x">coroutine</a> of
            <a class="reference internal" href="library/asyncio-task.html#asyncio.Task">asyncio</a>.</p></dd>
    </dl>""",
}


@pytest.fixture
def documentation(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    return tmp_path


def test_each_kind_leads_to_the_pages_that_the_structure_names(documentation: Path) -> None:
    found = questions(documentation)
    assert found.synopses == [{"query": "Abstract base classes according to 3119.", "expected": ["library/abc.html"]}]
    # A phrase that leads to two pages has no one answer.
    assert found.phrases == [{"query": "walrus operator", "expected": ["reference/expressions.html"]}]
    assert found.terms == [{"query": "What is task?", "expected": ["glossary.html", "library/asyncio-task.html"]}]


def test_eval_reads_them_as_they_are(documentation: Path) -> None:
    read = read_questions(questions(documentation).all())
    assert [question.expected for question in read][1] == ("reference/expressions.html",)


LIBRARY = """<dl class="py function">
    <dt class="sig" id="heapq.heappush">heapq.heappush(heap, item)</dt>
    <dd><p>Push the value <em>item</em> onto the heap, maintaining the heap. It is fast.</p></dd>
    <dt class="sig" id="heapq.merge">heapq.merge(*iterables)</dt><dd><p>Merge.</p></dd>
</dl>
<dl class="py class"><dt class="sig" id="heapq.Heap">class heapq.Heap</dt>
    <dd><p>A heap with methods that nobody ever asked for.</p>
        <dl class="py method"><dt class="sig" id="heapq.Heap.clear">clear()</dt>
            <dd><p>Take all items out of this heap at once.</p></dd></dl></dd></dl>
<div class="highlight"><pre>heap = Heap()
<span>heappush</span>(heap, (5, 'write code'))
heap.clear()</pre></div>
<div class="highlight"><pre>heappush(heap, "not stored")</pre></div>"""


def test_examples_that_call_a_function_answer_its_name_and_its_description(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "heapq.html").write_text(LIBRARY)
    stored = digest("heap = Heap()\nheappush(heap, (5, 'write code'))\n\nheap.clear()")
    found = code_questions(tmp_path, frozenset([stored]))
    assert {one.expected for one in found} == {frozenset([stored])}
    # merge has no example, and what calls a method elsewhere on the page may be of another class.
    assert [(one.kind, one.query) for one in found] == [
        ("description", "Push the value item onto the heap, maintaining the heap"),
        ("description", "A heap with methods that nobody ever asked for"),
        ("name", "heapq.heappush"),
        ("name", "heapq.Heap"),
    ]
    assert code_questions(tmp_path, frozenset()) == []
