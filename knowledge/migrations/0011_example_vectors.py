"""Vectors of code examples. Those that are stored already get the hash of what will be embedded of them."""

from hashlib import blake2b

import django.db.models.deletion
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

ROWS_PER_STATEMENT = 500


def hash_texts(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    examples = apps.get_model('knowledge', 'CodeExample').objects.order_by('pk')
    last = 0
    while rows := list(examples.filter(pk__gt=last)[:ROWS_PER_STATEMENT]):
        for row in rows:
            # As knowledge.embedding.text did at this migration; a difference would only embed them once more.
            title = '' if row.heading_path.endswith(row.title) else row.title
            text = '\n'.join(filter(None, (row.heading_path, title, row.summary, row.code)))[:2_000]
            row.text_hash = blake2b(text.encode(), digest_size=16).hexdigest()
        examples.bulk_update(rows, ['text_hash'], batch_size=100)
        last = rows[-1].pk


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0010_first_owners'),
    ]

    operations = [
        migrations.AddField(
            model_name='codeexample',
            name='text_hash',
            field=models.CharField(default='', max_length=32),
            preserve_default=False,
        ),
        migrations.RunPython(hash_texts, migrations.RunPython.noop),
        migrations.AddField(
            model_name='embeddingspace',
            name='removed_examples',
            field=models.PositiveBigIntegerField(default=0),
        ),
        migrations.AlterField(
            model_name='chunkvector',
            name='space',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='knowledge.embeddingspace'),
        ),
        migrations.CreateModel(
            name='ExampleVector',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('content_hash', models.CharField(max_length=32)),
                ('vector', models.BinaryField(null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=1)),
                ('next_at', models.DateTimeField(null=True)),
                ('error', models.TextField(blank=True)),
                ('example', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='vectors', to='knowledge.codeexample')),
                ('space', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='knowledge.embeddingspace')),
            ],
            options={
                'indexes': [models.Index(fields=['space', 'content_hash'], name='example_vector_content')],
                'constraints': [models.UniqueConstraint(fields=('space', 'example'), name='example_vector_once_per_space')],
            },
        ),
    ]
