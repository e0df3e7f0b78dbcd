"""API tokens and webhooks in the admin: to be seen, revoked, deleted; a secret is shown once, where it is made."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from archon import tokens
from archon.models import ApiToken, Delivery, Webhook
from progress.admin import ReadOnlyAdmin
from progress.plural import plural


@admin.register(Webhook)
class WebhookAdmin(ReadOnlyAdmin):
    list_display = ("url", "owner", "events", "active", "note", "created_at")
    list_filter = ("active",)
    search_fields = ("url", "owner__username")
    list_select_related = ("owner",)
    exclude = ("secret",)


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("webhook", "event", "key", "state", "attempts", "http_status", "error", "created_at")
    list_filter = ("state", "event", "created_at")
    search_fields = ("key", "webhook__url")
    list_select_related = ("webhook",)
    show_full_result_count = False


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "public_id", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("revoked_at", "created_at")
    search_fields = ("name", "public_id", "user__username")
    list_select_related = ("user",)
    exclude = ("digest",)
    actions = ("revoke_tokens",)

    @admin.action(description="Revoke the selected tokens")
    def revoke_tokens(self, request: HttpRequest, chosen: QuerySet[ApiToken]) -> None:
        for token in chosen:
            tokens.revoke(token)
        self.message_user(request, f"{plural(chosen.count(), 'token is', 'tokens are')} revoked.")
