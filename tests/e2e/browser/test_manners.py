"""Each screen in both themes and two sizes: accessible, nothing cut off, nothing for the console to complain about."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser.chromium import PHONE, THEMES, WIDE, Theme, visit
from tests.e2e.browser.screens import Shown, faults_of, fill
from tests.stack import Stack

FIRST_PAINT_MS = 1_000


@pytest.fixture(scope="module")
def shown(stack: Stack, browser: Browser) -> Shown:
    return fill(stack)


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("size", [PHONE, WIDE])
@pytest.mark.whole
def test_every_screen_is_accessible_and_fits(
    stack: Stack, browser: Browser, shown: Shown, theme: Theme, size: tuple[int, int]
) -> None:
    with visit(browser, theme=theme, size=size) as visited:
        faults = faults_of(visited, stack.url, shown)
    assert not faults, "\n\n".join(faults)


@pytest.mark.whole
def test_the_first_paint_comes_within_a_second(stack: Stack, browser: Browser) -> None:
    with visit(browser, stack.url) as visited:
        paint = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        visited.page.wait_for_function(paint)
        assert visited.page.evaluate(paint) <= FIRST_PAINT_MS


@pytest.mark.whole
def test_the_keyboard_goes_everywhere(stack: Stack, browser: Browser, shown: Shown) -> None:
    with visit(browser, stack.url) as visited:
        page = visited.page
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()
        reached = set()
        for _ in range(40):
            page.keyboard.press("Tab")
            reached.add(
                page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText")
            )
        assert "Add source" in " ".join(reached)
        visible = "getComputedStyle(document.activeElement).outlineStyle"
        page.get_by_role("link", name="Search", exact=True).focus()
        page.keyboard.press("Shift+Tab")
        assert page.evaluate(visible) != "none"
