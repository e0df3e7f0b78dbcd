"""Who looks, and what of it is theirs to see and to change: the one place that decides, for every app.

A source and an operation have an `owner` and may be `private`. Shared ones are seen by all accounts and
changed by their owner and staff; private ones exist for their owner alone. Staff meet those in the admin.
archon/auth.py says who it is; what has no viewer in server mode is nobody, who sees what is shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest

from progress.errors import NotOwner

# Under this name in the scope of a socket, and as this attribute of a request.
KEY = "viewer"


class Viewer(NamedTuple):
    """`everything` is the operator at this machine: in local mode whoever asks, and every command."""

    user_id: int | None = None
    staff: bool = False
    everything: bool = False

    def seen(self, path: str = "") -> Q:
        """Rows with `owner` and `private`, directly or behind `path` ("item__"), that exist for this viewer."""
        if self.everything:
            return Q()
        shared = Q(**{f"{path}private": False})
        return shared if self.user_id is None else shared | Q(**{f"{path}owner": self.user_id})

    def may_change(self, *owner_ids: int | None) -> bool:
        return self.everything or self.staff or (self.user_id is not None and self.user_id in owner_ids)

    def must_own(self, name: str, *owner_ids: int | None) -> None:
        """Raises NotOwner. Only for what the viewer sees: of the rest it must not be said that it is there."""
        if not self.may_change(*owner_ids):
            raise NotOwner(f"{name} belongs to another account.", hint="Its owner and staff may change it.")


OPERATOR = Viewer(everything=True)
NOBODY = Viewer()


def viewer_of(request: HttpRequest) -> Viewer:
    return _known(getattr(request, KEY, None))


def viewer_in(scope: Mapping[str, Any]) -> Viewer:
    return _known(scope.get(KEY))


def account(user_id: int | None) -> Viewer:
    """What an account sees when it is not there itself: for an answer that is written for it, say."""
    return OPERATOR if settings.LOCAL_MODE else Viewer(user_id)


def _known(viewer: Viewer | None) -> Viewer:
    if settings.LOCAL_MODE:
        return OPERATOR
    return viewer or NOBODY
