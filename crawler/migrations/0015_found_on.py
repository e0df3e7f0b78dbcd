from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crawler", "0014_unanswered_robots"),
    ]

    operations = [
        migrations.AddField(
            model_name="crawlurl",
            name="found_on",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
    ]
