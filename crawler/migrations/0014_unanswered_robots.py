from django.db import migrations, models


def forget_unanswered(apps, schema_editor):
    """On the way back: before, only what had answered was kept."""
    rows = apps.get_model("crawler", "CrawlRobots").objects
    rows.filter(models.Q(status=None) | models.Q(status__gte=500)).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("crawler", "0013_request_hash"),
    ]

    operations = [
        migrations.AddField(
            model_name="crawlrobots",
            name="error",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AlterField(
            model_name="crawlrobots",
            name="status",
            field=models.PositiveSmallIntegerField(null=True),
        ),
        migrations.RunPython(migrations.RunPython.noop, forget_unanswered),
    ]
