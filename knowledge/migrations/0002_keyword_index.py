"""The keyword index: an FTS5 table on SQLite, a tsvector table under GIN on PostgreSQL.

Both are written by knowledge.search only, in the transaction that writes the chunks. There is
no foreign key: a row without its chunk is never found, since every search joins the chunks.
"""

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps

# The columns hold finished lexemes, separated by spaces: every other character belongs to one.
CREATE = {
    "sqlite": (
        """
        CREATE VIRTUAL TABLE knowledge_chunk_fts
        USING fts5(title, heading, body, parts, tokenize = "ascii tokenchars '_.-:@$+#'")
        """,
    ),
    "postgresql": (
        "CREATE TABLE knowledge_chunk_words (chunk_id bigint PRIMARY KEY, words tsvector NOT NULL)",
        "CREATE INDEX knowledge_chunk_words_gin ON knowledge_chunk_words USING gin (words)",
    ),
}
DROP = {"sqlite": "DROP TABLE knowledge_chunk_fts", "postgresql": "DROP TABLE knowledge_chunk_words"}


def create_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for statement in CREATE[schema_editor.connection.vendor]:
        schema_editor.execute(statement)


def drop_index(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    schema_editor.execute(DROP[schema_editor.connection.vendor])


class Migration(migrations.Migration):
    dependencies = [("knowledge", "0001_initial")]
    operations = [migrations.RunPython(create_index, drop_index)]
