from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("crawler", "0009_due_at_once"),
    ]

    operations = [
        migrations.AddField(
            model_name="crawljob",
            name="conditional",
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
