from django.db import migrations, models


def whoever_crawled_first(apps, schema_editor):
    """Until now a source had no owner, but what was done for it had."""
    KnowledgeItem = apps.get_model("knowledge", "KnowledgeItem")
    Progress = apps.get_model("progress", "Progress")
    first = Progress.objects.filter(source_id=models.OuterRef("source_id"), owner__isnull=False).order_by("start_time")
    KnowledgeItem.objects.update(owner_id=models.Subquery(first.values("owner_id")[:1]))


class Migration(migrations.Migration):
    """Apart from 0009: PostgreSQL changes no table whose rows the same transaction changed."""

    dependencies = [("knowledge", "0009_owner"), ("progress", "0004_private")]

    operations = [migrations.RunPython(whoever_crawled_first, migrations.RunPython.noop, elidable=True)]
