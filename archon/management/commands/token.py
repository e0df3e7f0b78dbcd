"""`manage.py token NAME`: an API token for a script or an assistant, printed once."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from archon import tokens
from archon.identity import local_operator, scopes_of
from archon.scopes import Scope


class Command(BaseCommand):
    help = "Make an API token and print it; it is shown this one time."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="What it is for, such as: cursor on my laptop.")
        parser.add_argument("--user", help="Whose it is; in local mode the operator's.")
        parser.add_argument("--scopes", default="read,mcp", help="Of read, crawl, mcp, admin. Default: read,mcp.")
        parser.add_argument("--days", type=int, default=365, help="Days until it expires; 0: never. Default: 365.")

    def handle(self, *args: Any, **options: Any) -> None:
        user = self._user(options["user"])
        scopes = self._scopes(options["scopes"])
        if missing := scopes - scopes_of(user):
            raise CommandError(f"{user} has not the scope {', '.join(sorted(missing))} themselves.")
        if not 0 <= options["days"] <= tokens.MOST_DAYS:
            raise CommandError(f"--days takes 0 to {tokens.MOST_DAYS}.")
        made = tokens.issue(user, name=options["name"][:100], scopes=scopes, days=options["days"] or None)
        self.stdout.write(made.text)

    def _user(self, name: str | None) -> Any:
        if name is None:
            return local_operator()
        user = get_user_model().objects.filter(username=name).first()
        if user is None:
            raise CommandError(f"There is no account {name!r}; make one with: python manage.py createsuperuser")
        return user

    def _scopes(self, text: str) -> set[Scope]:
        try:
            return {Scope(word.strip()) for word in text.split(",") if word.strip()}
        except ValueError as error:
            raise CommandError(f"{error}: the scopes are {', '.join(Scope)}.") from None
