import django.db.models.deletion
from django.db import migrations, models


def add_column(apps, schema_editor):
    """On the way back. SQLite makes a table anew for most changes of it, and leaves out what no model knows."""
    with schema_editor.connection.cursor() as cursor:
        columns = schema_editor.connection.introspection.get_table_description(cursor, "crawler_crawljob")
    if "robots" not in {column.name for column in columns}:
        schema_editor.execute("ALTER TABLE crawler_crawljob ADD COLUMN robots text NOT NULL DEFAULT '{}'")


class Migration(migrations.Migration):
    """On PostgreSQL the old column stays, empty and with a default: workers of the version before run on while a server
    is upgraded."""

    dependencies = [
        ("crawler", "0011_robots"),
    ]

    operations = [
        migrations.AlterField(
            model_name="crawljob",
            name="robots",
            field=models.JSONField(blank=True, db_default={}, default=dict),
        ),
        migrations.SeparateDatabaseAndState(
            state_operations=[migrations.RemoveField(model_name="crawljob", name="robots")],
        ),
        migrations.RunPython(migrations.RunPython.noop, add_column),
        migrations.AlterField(
            model_name="crawlrobots",
            name="job",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="robots", to="crawler.crawljob"
            ),
        ),
    ]
