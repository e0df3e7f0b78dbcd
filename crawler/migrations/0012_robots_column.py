import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """The old column stays, empty and with a default: workers of the version before run on while a server is upgraded."""

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
        migrations.AlterField(
            model_name="crawlrobots",
            name="job",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="robots", to="crawler.crawljob"
            ),
        ),
    ]
