from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("progress", "0002_kind_import")]

    operations = [
        migrations.AddField(model_name="progress", name="private", field=models.BooleanField(default=False)),
    ]
