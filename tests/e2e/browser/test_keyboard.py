"""Each screen by the Tab key alone, and as Chromium tells it to a screen reader."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser.chromium import PHONE, WIDE, visit
from tests.e2e.browser.screens import Shown, fill
from tests.e2e.served import served
from tests.stack import Stack

pytestmark = [pytest.mark.whole, pytest.mark.timeout(600)]

MOST_STOPS = 400
# What a person can act on, as roles of the accessibility tree.
INTERACTIVE = {
    "button",
    "checkbox",
    "combobox",
    "DisclosureTriangle",
    "link",
    "listbox",
    "menuitem",
    "option",
    "radio",
    "searchbox",
    "slider",
    "spinbutton",
    "switch",
    "tab",
    "textbox",
    "Date",
}

# Numbers what Tab should reach, in the order of the document, and remembers how it looks without the focus.
PREPARE = """() => {
  const looks = (element) => {
    const shown = [];
    for (let at = element, up = 0; at && up < 4; at = at.parentElement, up += 1) {
      const { outlineStyle, outlineWidth, boxShadow, borderColor, backgroundColor } = getComputedStyle(at);
      shown.push([outlineStyle === 'none' ? '' : outlineWidth, boxShadow, borderColor, backgroundColor].join());
    }
    return shown.join('|');
  };
  const name = (element) => `${element.localName} “${(element.getAttribute('aria-label') ?? element.innerText
    ?? '').trim().replace(/\\s+/g, ' ').slice(0, 60) || element.name || element.type || element.className}”`;
  // A control that is drawn by its label is where its label is.
  const place = (element) => {
    const label = element.matches('input') && element.labels?.[0];
    const { width, height } = element.getBoundingClientRect();
    return (label && Math.min(width, height) < 10 ? label : element).getBoundingClientRect();
  };
  const one = (element, all) => element.type !== 'radio' || element.checked
    || (!all.some((other) => other.name === element.name && other.type === 'radio' && other.checked)
      && all.find((other) => other.name === element.name) === element);
  const found = [...document.querySelectorAll(
    'a[href], area[href], button, input, select, textarea, summary, iframe, [contenteditable], [tabindex]')]
    .filter((element) => !element.disabled && element.tabIndex >= 0 && element.type !== 'hidden'
      && element.checkVisibility({ visibilityProperty: true }));
  const stops = found.filter((element) => one(element, found));
  // Some screens give the focus to their box at once.
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute('tabindex');
  window.__looks = looks;
  window.__stops = new Map(stops.map((element, number) => [element, { number, before: looks(element) }]));
  const end = document.body.appendChild(document.createElement('button'));
  end.id = 'end-of-the-page';
  window.__place = place;
  window.__name = name;
  return stops.map((element) => {
    const { left, right, top, bottom } = place(element);
    const inside = !!element.closest('main');
    const fixed = getComputedStyle(element).position === 'fixed';
    return { name: name(element), positive: element.tabIndex > 0, inside, fixed,
      left: left + scrollX, right: right + scrollX, top: top + scrollY, bottom: bottom + scrollY };
  });
}"""

# Where the focus is: its number, and what is wrong with how it is seen there.
STOP = """() => {
  const element = document.activeElement;
  if (element.id === 'end-of-the-page') return { end: true };
  const known = window.__stops.get(element);
  // Long lists make their rows as they come into sight; a box that scrolls has the focus too.
  const late = element.matches('a[href], button, input') || element.scrollHeight > element.clientHeight
    || element.scrollWidth > element.clientWidth;
  // The button in a date is a part of it that Chromium marks itself.
  const inner = element.type === 'date' && !element.matches(':focus');
  const { left, right, top, bottom } = window.__place(element);
  const [x, y] = [(Math.max(left, 0) + Math.min(right, innerWidth)) / 2,
    (Math.max(top, 0) + Math.min(bottom, innerHeight)) / 2];
  const over = document.elementFromPoint(x, y);
  const label = element.labels?.[0];
  const seen = !!over && (element.contains(over) || over.contains(element) || !!label?.contains(over)
    || over.contains(label ?? element));
  return { end: false, name: window.__name(element), number: known?.number ?? -1, late, seen, where: [x, y],
    marked: inner || (known ? window.__looks(element) !== known.before
      : getComputedStyle(element).outlineStyle !== 'none') };
}"""


@pytest.fixture(scope="module")
def shown(stack: Stack, browser: Browser) -> Shown:
    return fill(stack)


def faults_of_the_walk(page: Page) -> list[str]:
    """What is wrong on the way from the top of the page to its end by Tab, and back by Shift+Tab."""
    stops = page.evaluate(PREPARE)
    faults = [f"{stop['name']} has a tabindex above 0" for stop in stops if stop["positive"]]
    way = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        stop = page.evaluate(STOP)
        if stop["end"]:
            break
        way.append(stop)
        if not stop["marked"]:
            faults.append(f"{stop['name']} looks the same with the focus")
        if not stop["seen"]:
            faults.append(f"{stop['name']} has the focus out of sight, at {stop['where']}")
        if stop["number"] < 0 and not stop["late"]:
            faults.append(f"{stop['name']} has the focus, and is nothing to act on")
    else:
        return [*faults, f"the end is not reached, the focus is at {way[-1]['name']}"]
    numbers = once([stop["number"] for stop in way if stop["number"] >= 0])
    faults += [f"{stops[number]['name']} is not reached" for number in sorted(set(range(len(stops))) - set(numbers))]
    faults += [
        f"{stops[after]['name']} comes after {stops[before]['name']}, and stands before it"
        for before, after in pairwise(numbers)
        if backwards(stops[before], stops[after])
    ]
    if numbers != sorted(numbers):
        faults.append(f"Tab goes {numbers}")
    return faults + faults_of_the_way_back(page, numbers)


def faults_of_the_way_back(page: Page, numbers: list[int]) -> list[str]:
    back: list[int] = []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Shift+Tab")
        if (number := page.evaluate(STOP).get("number", -1)) >= 0:
            back.append(number)
        if number == 0:
            break
    back = once(back)
    return [] if back == numbers[::-1] else [f"Shift+Tab goes {back}, Tab {numbers}"]


def once(numbers: list[int]) -> list[int]:
    """A date is several stops of Tab in one control."""
    return [number for place, number in enumerate(numbers) if place == 0 or numbers[place - 1] != number]


def backwards(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether the second stands above the first, in its column, or left of it, in its line."""
    if not (before["inside"] and after["inside"]) or before["fixed"] or after["fixed"]:
        return False
    beside = min(before["right"], after["right"]) > max(before["left"], after["left"])
    level = min(before["bottom"], after["bottom"]) - max(before["top"], after["top"]) > 4
    return bool((beside and after["bottom"] <= before["top"]) or (level and after["right"] <= before["left"]))


def told(page: Page) -> list[dict[str, Any]]:
    """The nodes of Chromium's accessibility tree that a screen reader is given, in reading order."""
    session = page.context.new_cdp_session(page)
    nodes = {node["nodeId"]: node for node in session.send("Accessibility.getFullAXTree")["nodes"]}
    session.detach()
    reading: list[dict[str, Any]] = []
    ahead = [next(iter(nodes))]
    while ahead:
        node = nodes.get(ahead.pop())
        if node is None:
            continue
        reading.append(node)
        ahead += reversed(node.get("childIds", []))
    return [node for node in reading if not node["ignored"]]


def role(node: dict[str, Any]) -> str:
    return str(node.get("role", {}).get("value", ""))


def named(node: dict[str, Any]) -> str:
    return str(node.get("name", {}).get("value", "")).strip()


def level(node: dict[str, Any]) -> int:
    return int(next(each["value"]["value"] for each in node["properties"] if each["name"] == "level"))


def faults_of_the_tree(page: Page) -> list[str]:
    nodes = told(page)
    faults = [f"a {role(node)} without a name" for node in nodes if role(node) in INTERACTIVE and not named(node)]
    headings = [(level(node), named(node)) for node in nodes if role(node) == "heading"]
    levels = [depth for depth, _ in headings]
    if levels[:1] != [1] or levels.count(1) != 1:
        faults.append(f"the headings do not begin with the only h1: {headings}")
    faults += [
        f"h{after[0]} “{after[1]}” follows h{before[0]} “{before[1]}”"
        for before, after in pairwise(headings)
        if after[0] > before[0] + 1
    ]
    faults += [f"the h{depth} has no text" for depth, text in headings if not text]
    if [role(node) for node in nodes].count("main") != 1:
        faults.append("there is not one main")
    navigations = [named(node) for node in nodes if role(node) == "navigation"]
    if "Main" not in navigations or len(set(navigations)) < len(navigations):
        faults.append(f"the navigations are {navigations}")
    return faults


@pytest.mark.parametrize("size", [PHONE, WIDE])
def test_tab_alone_goes_through_every_screen(
    stack: Stack, browser: Browser, shown: Shown, size: tuple[int, int]
) -> None:
    faults = []
    with visit(browser, size=size) as visited:
        for name, path in shown.addresses().items():
            visited.page.goto(stack.url + path)
            visited.page.wait_for_load_state("networkidle")
            faults += [f"{name}: {fault}" for fault in faults_of_the_tree(visited.page)]
            faults += [f"{name}: {fault}" for fault in faults_of_the_walk(visited.page)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("place", ["/sources/{}", "/", "/?view=table"])
def test_a_question_is_withdrawn_by_escape_and_answered_by_enter(stack: Stack, browser: Browser, place: str) -> None:
    """The focus stays at the question, and is at the page's beginning when what was asked about is gone."""
    with served(pages=2) as site:
        source_id = stack.ended(stack.crawl(site.url, max_depth=1))["sourceId"]
    stack.request("PUT", f"/api/knowledge-items/{source_id}", {"title": f"Forgotten {source_id}"})
    with visit(browser, stack.url + place.format(source_id)) as visited:
        page = visited.page
        delete = page.get_by_role("button", name=f"Delete Forgotten {source_id}")
        delete.focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Delete?")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Delete?")).to_have_count(0)
        expect(delete).to_be_focused()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Knowledge", level=1)).to_be_visible()
        expect(delete).to_have_count(0)
        expect(page.locator("main")).to_be_focused()
