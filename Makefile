# Each target is one line over a script or a command. The first start makes .venv; later ones take seconds.
SHELL := /bin/sh
PYTHON ?=
# One more than the cores of a small machine: much of the tests' time is waiting.
JOBS ?= 3
N ?= 100
SECONDS ?= 300
VENV := .venv/bin
MANAGE := $(VENV)/python manage.py
export PYTHON

.DEFAULT_GOAL := help
# Every target is a command, none a file.
.PHONY: $(shell sed -n 's/^\([a-z][a-z0-9-]*\):.*/\1/p' $(firstword $(MAKEFILE_LIST)))

help: ## this list
	@grep -E '^[a-z0-9-]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 20

install:
	@.ci/venv requirements.txt

install-dev:
	@.ci/venv requirements.txt requirements-dev.txt

up: install ## start Archon here: redis, worker, beat and web; Ctrl-C stops them
	@exec $(MANAGE) up

down: install ## stop an Archon that runs in the background
	@exec $(MANAGE) down

crawl: install ## crawl one site and watch it: make crawl URL=https://docs.example.org
	@[ -n "$(URL)" ] || { echo "Which site? make crawl URL=https://docs.example.org; or make example, Archon's own documentation." >&2; exit 2; }
	@exec $(MANAGE) crawl "$(URL)"

example: install ## read Archon's own documentation: the first source to search and ask
	@exec $(MANAGE) ingest docs --title "Archon documentation"

test: install-dev ## all tests on SQLite, then those that touch the database on PostgreSQL
	@failed=0; \
	echo "== SQLite"; $(VENV)/python -m pytest -q -n $(JOBS) --dist loadgroup $(ARGS) || failed=1; \
	echo "== PostgreSQL"; $(VENV)/python -m pytest -q -n $(JOBS) --dist loadgroup --postgres $(ARGS) || failed=1; \
	exit $$failed

check: install-dev ## style, types, layers, deployment settings, migrations, pinned requirements
	@.ci/check

types: install-dev ## write the dashboard's types from the API's schemas, and build it anew
	@cd archon/dashboard && { [ -d node_modules/openapi-typescript ] || npm ci; } && \
	../../$(VENV)/python ../../manage.py export_schema | npm run -s types && npm run -s typecheck && npm run -s build -- --logLevel warn

e2e: install-dev ## the dashboard in Chromium against the whole product, every screen, at full length
	@.ci/browser && $(VENV)/python -m pytest -q tests/e2e/browser --whole $(ARGS)

pictures: install-dev ## take the pictures in docs/images anew, from the running dashboard
	@.ci/browser && $(VENV)/python -m tests.e2e.browser.pictures $(ARGS)

bench-crawl: install-dev ## four documentation sites with Archon, crawl4ai and Scrapy, side by side: ARGS="python git"
	@$(VENV)/uv pip install -q --python $(VENV)/python --group bench && $(VENV)/python -m tests.benchmarks.crawl $(ARGS)

bench: bench-crawl ## the same

bench-realtime: install-dev ## realtime delivery beside the seed's manager, stock Channels and a raw broadcast
	@$(VENV)/uv pip install -q --python $(VENV)/python --group bench && $(VENV)/python -m tests.benchmarks.realtime $(ARGS)

e2e-mcp: install-dev ## Node's MCP inspector and the protocol's conformance suite against the whole product
	@$(VENV)/python -m pytest -q -rs tests/e2e/node --node $(ARGS)

bench-mcp: install-dev ## searches of assistants over MCP, one and fifty at once, beside REST; calls on the log socket
	@$(VENV)/python -m tests.benchmarks.mcp $(ARGS)

bench-search: install-dev ## how fast vectors come, how fast and how well search is: ARGS="crawl scores code load precision"
	@$(VENV)/uv pip install -q --python $(VENV)/python --group model && $(VENV)/python -m tests.benchmarks.search $(ARGS)

bench-start: install-dev ## from make up in a fresh copy to ready, again, and memory at rest; ARGS=--installed skips the packages
	@$(VENV)/python -m tests.benchmarks.start $(ARGS)

bench-chat: install-dev ## from the model's token to the socket, one answer and a hundred at once: ARGS="--streams 20"
	@$(VENV)/python -m tests.benchmarks.chat $(ARGS)

chaos: install-dev ## kill every part at random moments of crawls, on both databases: make chaos N=1000 ARGS="--seed 7"
	@$(VENV)/python -m tests.chaos.soak --points $(N) $(ARGS)

chaos-sqlite: install-dev ## SQLite under eight writers and fifty requests a second: make chaos-sqlite SECONDS=300
	@$(VENV)/python -m tests.chaos.busy --seconds $(SECONDS) $(ARGS)

bench-cancel: install-dev ## from the click to the end of a crawl, a hundred times by HTTP and by a browser; nothing is stored after
	@$(VENV)/python -m tests.benchmarks.cancel $(ARGS)

chaos-realtime: install-dev ## kill servers and Redis under 500 sockets, the replay loop at full length
	@$(VENV)/python -m pytest -q tests/chaos/test_delivery.py tests/chaos/test_clients.py tests/chaos/test_outages.py --long $(ARGS)

torture-payloads: install-dev ## 100,000 odd values through the publisher, judged by Node's JSON.parse
	@$(VENV)/python -m tests.chaos.payloads $(ARGS)

model: install-dev ## make the bundled embedding model again from its published weights
	@$(VENV)/uv pip install -q --python $(VENV)/python --group model && $(VENV)/python -m knowledge.embedding.model.build

cluster: install-dev ## PostgreSQL, Redis, two web processes behind nginx, three workers; ARGS=--check kills each
	@$(VENV)/python -m tests.cluster $(ARGS)

fuzz-api: install-dev ## many random requests to every operation of the REST API, allowed and forbidden: ARGS="--examples 1000 --postgres --server"
	@$(VENV)/python -m pytest -q tests/fuzz --examples 200 $(ARGS)

ssrf: install-dev ## every spelling of a forbidden address, every way in, over HTTP and by a browser
	@$(VENV)/python -m tests.chaos.ssrf

requirements: install-dev ## compile requirements*.txt from pyproject.toml
	@PATH="$(CURDIR)/$(VENV):$$PATH" $(VENV)/python .ci/requirements.py compile
