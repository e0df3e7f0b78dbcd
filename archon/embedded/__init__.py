"""The one-command start: redis, worker, beat and web as children of one supervisor."""
