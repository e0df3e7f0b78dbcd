"""Each screen in both themes and two sizes: accessible, nothing cut off, nothing for the console to complain about."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.e2e.browser.chromium import PHONE, THEMES, WIDE, Theme, visit
from tests.e2e.browser.screens import Shown, fill
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
    faults = []
    with visit(browser, theme=theme, size=size) as visited:
        for name, path in shown.addresses().items():
            visited.page.goto(stack.url + path)
            visited.page.wait_for_load_state("networkidle")
            faults += [f"{name}: {fault}" for fault in visited.axe()]
            faults += [f"{name}: {refused}" for refused in visited.refused()]
            if (sideways := visited.sideways()) > 0:
                faults.append(f"{name}: {sideways} px wider than the window")
        # Asking for a crawl that does not exist is answered 404, and Chromium logs that.
        faults += [said for said in visited.complaints if "status of 404" not in said]
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
