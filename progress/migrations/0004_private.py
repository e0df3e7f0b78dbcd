from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("progress", "0003_unsent_verdicts")]

    operations = [
        migrations.AddField(
            model_name="progress", name="private", field=models.BooleanField(db_default=False, default=False)
        ),
    ]
