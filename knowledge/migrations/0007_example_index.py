"""The keyword index of code examples, in the form of the chunks' own (0002)."""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

CREATE = {
    "sqlite": (
        """
        CREATE VIRTUAL TABLE knowledge_example_fts
        USING fts5(title, heading, body, parts, tokenize = "ascii tokenchars '_.-:@$+#'")
        """,
    ),
    "postgresql": (
        "CREATE TABLE knowledge_example_words (example_id bigint PRIMARY KEY, words tsvector NOT NULL)",
        "CREATE INDEX knowledge_example_words_gin ON knowledge_example_words USING gin (words)",
    ),
}
DROP = {"sqlite": "DROP TABLE knowledge_example_fts", "postgresql": "DROP TABLE knowledge_example_words"}


def create_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in CREATE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute(DROP[schema_editor.connection.vendor])


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0006_code_examples")]
    operations = [migrations.RunPython(create_index, drop_index)]
