"""A process that gives and takes keys and rights, as an operator does elsewhere; told what to do as tests/writer.py."""

from __future__ import annotations

from datetime import timedelta
from importlib import import_module
from typing import Any

from tests.writer import main  # first: it sets Django up

from django.conf import settings  # isort: skip
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY, get_user_model  # isort: skip
from django.contrib.sessions.models import Session  # isort: skip
from django.utils import timezone  # isort: skip

from archon import tokens  # isort: skip
from archon.models import ApiToken  # isort: skip
from archon.scopes import Scope  # isort: skip


def account(name: str, **rights: Any) -> None:
    get_user_model().objects.create_user(name, password="of these tests", **rights)


def operator(name: str) -> None:
    """A server starts with one only."""
    account(name, is_staff=True, is_superuser=True)


def staff(name: str) -> None:
    account(name, is_staff=True)


def user(name: str) -> Any:
    return get_user_model().objects.get(username=name)


def token(name: str, *scopes: str) -> str:
    return tokens.issue(user(name), name="tests", scopes=map(Scope, scopes)).text


def session(name: str) -> str:
    """The key of a session as a login makes it."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    store[SESSION_KEY] = str(user(name).pk)
    store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    store[HASH_SESSION_KEY] = user(name).get_session_auth_hash()
    store.create()
    return str(store.session_key)


def revoke(name: str) -> None:
    for issued in ApiToken.objects.filter(user=user(name)):
        tokens.revoke(issued)


def expire(name: str) -> None:
    ApiToken.objects.filter(user=user(name)).update(expires_at=timezone.now())


def forget_token(name: str) -> None:
    ApiToken.objects.filter(user=user(name)).delete()


def narrow(name: str, *scopes: str) -> None:
    ApiToken.objects.filter(user=user(name)).update(scopes=list(scopes))


def unstaff(name: str) -> None:
    get_user_model().objects.filter(username=name).update(is_staff=False)


def deactivate(name: str) -> None:
    get_user_model().objects.filter(username=name).update(is_active=False)


def change_password(name: str) -> None:
    changed = user(name)
    changed.set_password("another one")
    changed.save()


def sign_out(name: str) -> None:
    kept = [one.pk for one in Session.objects.all() if one.get_decoded().get(SESSION_KEY) == str(user(name).pk)]
    Session.objects.filter(pk__in=kept).delete()


def end_session(name: str) -> None:
    """As its age does."""
    kept = [one.pk for one in Session.objects.all() if one.get_decoded().get(SESSION_KEY) == str(user(name).pk)]
    Session.objects.filter(pk__in=kept).update(expire_date=timezone.now() - timedelta(seconds=1))


VERBS = (
    *(account, operator, staff, token, session, revoke, expire, forget_token, narrow),
    *(unstaff, deactivate, change_password, sign_out, end_session),
)

if __name__ == "__main__":
    main({verb.__name__: verb for verb in VERBS})
