"""`manage.py rotate-keys`: write every stored secret anew under the first of ARCHON_ENCRYPTION_KEYS."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from archon import vault
from archon.settings import fernet_key
from archon.webhooks.models import Webhook


class Command(BaseCommand):
    help = "Encrypt stored secrets anew with the first key of ARCHON_ENCRYPTION_KEYS; --new prints a fresh key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--new", action="store_true", help="Only print a new key, to be put in front.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["new"]:
            self.stdout.write(fernet_key())
            return
        try:
            for hook in Webhook.objects.all():
                Webhook.objects.filter(pk=hook.pk, secret=hook.secret).update(secret=vault.rotate(hook.secret))
        except vault.Unreadable as error:
            raise CommandError(f"{error} Add the old key to it, then run this again.") from error
        self.stdout.write(f"{Webhook.objects.count()} secrets are encrypted with the first key.")
