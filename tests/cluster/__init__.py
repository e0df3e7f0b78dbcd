"""Archon as a team runs it, on one machine and without Docker: PostgreSQL, Redis, two Daphne processes behind
nginx, three Celery workers, beat. `make cluster` starts it, `make cluster ARGS=--check` kills each part in turn."""
