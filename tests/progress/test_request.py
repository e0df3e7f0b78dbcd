"""What every body of a REST request has in common."""

from __future__ import annotations

import pytest
from pydantic import Field, ValidationError

from progress.request import RequestBody


class Body(RequestBody):
    days: int | None = Field(365, ge=1)
    depth: int = 1
    private: bool = False


@pytest.mark.parametrize("field", ["days", "depth"])
def test_true_is_no_number(field: str) -> None:
    with pytest.raises(ValidationError, match="expected a number, not true or false"):
        Body.model_validate({field: True})
    assert Body.model_validate({field: 2, "private": True}).private
