"""The API's documentation as a browser shows it, on a machine without the internet."""

from __future__ import annotations

import re

import pytest
from django.test import Client


@pytest.mark.django_db
def test_all_that_its_page_loads_is_served_here(client: Client) -> None:
    page = client.get("/api/docs").content.decode()
    loaded = re.findall(r"<(?:script|link)\b[^>]*?(?:src|href)=\"([^\"]+)\"", page)
    assert any("swagger-ui-bundle" in address for address in loaded)
    for address in loaded:
        assert client.get(address).status_code == 200, address
