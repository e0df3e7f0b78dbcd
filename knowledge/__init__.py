"""What was learned: items, documents, chunks, and finding them again."""
