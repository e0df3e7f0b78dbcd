import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("knowledge", "0008_removed_pages"),
    ]

    operations = [
        migrations.AddField(
            model_name="knowledgeitem",
            name="owner",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="knowledgeitem",
            name="private",
            field=models.BooleanField(db_default=False, default=False, help_text="Exists for its owner alone."),
        ),
    ]
