"""The dashboard where there are accounts: signing in, tokens, what is private, and every screen once more."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser.chromium import PHONE, THEMES, WIDE, Theme, visit
from tests.e2e.browser.screens import Shown, faults_of, fill
from tests.e2e.browser.test_watching import SOON
from tests.stack import SERVER_MODE, Stack, free_port, running_stack

pytestmark = pytest.mark.whole

PASSWORD = "a long password of a test"
ACCOUNTS = f"""
from django.contrib.auth import get_user_model
users = get_user_model().objects
users.create_superuser("operator", password="{PASSWORD}")
users.create_user("alice", password="{PASSWORD}", is_staff=True)
"""


@pytest.fixture(scope="module")
def site_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(site_port: int) -> Iterator[Stack]:
    """The operator is who asks outside of the browser."""
    settings = {
        **SERVER_MODE,
        "ARCHON_CRAWL_ALLOW_PRIVATE": f"127.0.0.1:{site_port}",
    }
    with running_stack(ACCOUNTS, **settings) as stack:
        issued = stack.manage("token", "tests", "--user", "operator", "--scopes", "read,crawl,mcp,admin").stdout.strip()
        stack.headers["Authorization"] = f"Bearer {issued}"
        yield stack


@pytest.fixture(scope="module")
def shown(server: Stack, site_port: int) -> Shown:
    return fill(server, site_port)


def sign_in(page: Page, stack: Stack, name: str) -> None:
    page.goto(stack.url)
    expect(page).to_have_url(re.compile(r"/admin/login/"))
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Knowledge", level=1)).to_be_visible()


@pytest.mark.usefixtures("axe")
@pytest.mark.parametrize(("theme", "size"), [(THEMES[0], PHONE), (THEMES[1], WIDE)])
def test_every_screen_is_accessible_and_nothing_is_refused(
    server: Stack, browser: Browser, shown: Shown, theme: Theme, size: tuple[int, int]
) -> None:
    with visit(browser, theme=theme, size=size) as visited:
        visited.page.goto(server.url)
        faults = [f"login: {fault}" for fault in visited.axe()]
        sign_in(visited.page, server, "operator")
        faults += faults_of(visited, server.url, shown)
    assert not faults, "\n\n".join(faults)


def test_a_private_upload_exists_for_its_owner_alone(server: Stack, browser: Browser) -> None:
    """The files are chosen after another field was changed, and a further one is changed after that."""
    text = b"# Notes\n\nThe word is numbat4711.\n"
    with visit(browser) as visited:
        page = visited.page
        sign_in(page, server, "alice")
        page.goto(f"{server.url}/add?from=files")
        page.get_by_label("Type").select_option("business")
        page.get_by_label("Files").set_input_files({"name": "numbat.md", "mimeType": "text/markdown", "buffer": text})
        page.get_by_role("checkbox", name="Private").check()
        expect(page.get_by_role("list", name="Chosen files")).to_contain_text("numbat.md")
        page.get_by_role("button", name="Upload 1 file").click()
        expect(page.locator(".crawl-status")).to_contain_text("Completed", timeout=SOON)
        page.goto(f"{server.url}/?type=business")
        expect(page.locator(".private-mark")).to_have_text("Private")
        page.goto(f"{server.url}/search?q=numbat4711")
        expect(page.locator(".result mark").first).to_have_text("numbat4711")
        assert (visited.complaints, visited.refused_requests) == ([], [])
    with visit(browser) as visited:
        sign_in(visited.page, server, "operator")
        visited.page.goto(f"{server.url}/search?q=numbat4711")
        expect(visited.page.get_by_role("heading", name="Nothing found")).to_be_visible()
        expect(visited.page.locator(".result")).to_have_count(0)


def test_a_token_is_made_used_and_revoked(server: Stack, browser: Browser) -> None:
    with visit(browser) as visited:
        page = visited.page
        sign_in(page, server, "alice")
        page.goto(f"{server.url}/settings/tokens")
        expect(page.get_by_text("Signed in as alice")).to_be_visible()
        page.get_by_label("Name of the new token").fill("of a browser test")
        page.get_by_role("button", name="Make a token").click()
        token = page.get_by_text(re.compile(r"^arc_[^…]+$")).inner_text()  # the list tells its beginning too
        bearer = {"Authorization": f"Bearer {token}"}
        assert server.request("GET", "/api/whoami", headers=bearer)[1]["user"] == "alice"
        revoke = page.get_by_role("button", name="Revoke of a browser test")
        revoke.click()
        page.get_by_role("button", name="Revoke?").click()
        expect(page.get_by_role("button", name=re.compile("^Revoke"))).to_have_count(0)
        assert server.request("GET", "/api/whoami", headers=bearer)[0] == 401
        assert (visited.complaints, visited.refused_requests) == ([], [])
