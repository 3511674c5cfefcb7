# Dateline's commands; `make` alone lists them.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# The first Python that is new enough; PYTHON=… chooses another.
PYTHON ?= $(shell for python in python3 python3.14 python3.13 python3.12 python3.11; do \
	if $$python -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	then echo $$python; break; fi; done)
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command 'make pins'
# More at a time than cores: many tests wait for what they have started.
PYTEST := $(BIN)/pytest -n 4 --dist worksteal
CLIENTS := build/clients
PEERS := build/peers
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: help run test test-live test-system test-citus check prove clients bench bench-compare bench-peers image-test pins clean

help:  ## List these commands
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 22

run: $(VENV)/run.stamp  ## Run the service on http://127.0.0.1:8000 with a PostgreSQL that comes along
	@exec $(BIN)/dateline serve

# What starts processes of its own, kills them, and waits: starts, stops, streams, browsers, faults.
LIVE := tests/live tests/prove

test: check  ## Check, then test what the service does, on the PostgreSQL that comes along
	$(PYTEST) $(addprefix --ignore=,$(LIVE))

test-live: $(VENV)/dev.stamp  ## Test the service as it runs: starts, stops, streams, browsers, what many runs must not contradict
	$(PYTEST) $(LIVE)

test-system: $(VENV)/dev.stamp  ## Test what takes SQL of its own on the machine's PostgreSQL, if there is one, the API through PgBouncer
	$(PYTEST) --postgres=system --pooler

# The service's whole behaviour; what is left out, such as the words of refusals, comes nowhere near the database.
ON_A_CLUSTER := citus archive worker test_cli.py test_cli_import.py test_cli_keys.py \
	$(patsubst %,store/test_%.py,documents histogram_upkeep purging roles) \
	$(patsubst %,live/test_%.py,feed pooler worker) \
	$(patsubst %,api/test_%.py,adoption arguments audit batch changes claims commit_order comparison counts cursors \
	directory dry_run events everywhere histogram history idempotency import instants json_patch known_at links ndjson \
	outages plans preconditions races range_query representations search seeded_timeline webhooks)
THROUGH_A_POOLER := $(patsubst %,tests/api/test_%.py,batch changes events range_query)
# Only a variable of this command line is taken: whatever the environment names may be a database in use.
test-citus: export DATELINE_DATABASE_URL := $(if $(filter command line,$(origin DATELINE_DATABASE_URL)),$(DATELINE_DATABASE_URL))
test-citus: $(VENV)/dev.stamp  ## Run what can be run on a Citus cluster: DATELINE_DATABASE_URL=… names its coordinator
	$(BIN)/pytest --postgres=citus $(addprefix tests/,$(ON_A_CLUSTER))
	$(BIN)/pytest --postgres=citus --pooler $(THROUGH_A_POOLER)

check: $(VENV)/dev.stamp  ## Lint, types, the rule of imports, migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/pytest tests/test_house.py
	$(BIN)/python -m tests.migrations

prove: $(VENV)/dev.stamp  ## Prove by many runs, for a quarter of an hour or more
	DATELINE_PROVE=long $(BIN)/pytest -rP tests/prove
	DATELINE_PROVE=long $(BIN)/pytest tests/dates tests/live tests/store tests/wire
	$(BIN)/python -m tests.prove.feed

clients: $(VENV)/dev.stamp $(CLIENTS)/tools.stamp  ## Lint the published document, make clients of it in three languages, and run them
	DATELINE_PROVE=long $(BIN)/pytest tests/clients

bench: $(VENV)/dev.stamp  ## Measure, on a million made-up events (ARGS="--events 100000": a shorter run)
	$(BIN)/python -m bench $(ARGS)

bench-compare: $(VENV)/dev.stamp  ## Measure this work tree against another commit in one run (BASE=commit)
	@test -n "$(BASE)" || { echo "Say which commit: make bench-compare BASE=main" >&2; exit 2; }
	$(BIN)/python -m bench.compare "$(BASE)" $(ARGS)

bench-peers: $(VENV)/dev.stamp $(PEERS)/complete.stamp  ## Measure beside stac-fastapi and pgstac (needs PostGIS)
	$(BIN)/python -m bench.peers --python $(PEERS)/bin/python $(ARGS)

image-test: $(VENV)/dev.stamp  ## Build the container image and run it (Linux, as root; needs buildah, podman, runc, debootstrap)
	$(BIN)/python -m tests.image

# The run pins are those of the development pins, so that what is tested is what runs.
pins: $(VENV)/dev.stamp  ## Choose the newest versions anew, and write down their hashes
	$(COMPILE) --upgrade pyproject.toml --extra embedded --group dev --output-file requirements/dev.txt
	$(COMPILE) --constraints requirements/dev.txt pyproject.toml --extra embedded --output-file requirements/embedded.txt
	$(COMPILE) --constraints requirements/dev.txt pyproject.toml --extra otel --output-file requirements/run.txt
	$(COMPILE) --constraints requirements/dev.txt --group build --output-file requirements/build.txt
	$(COMPILE) --constraints requirements/dev.txt --group sbom --output-file requirements/sbom.txt
	$(COMPILE) --upgrade --group clients --output-file requirements/clients.txt
	$(COMPILE) --upgrade --group peers --output-file requirements/peers.txt
	cd tests/clients && npm update --package-lock-only

clean:  ## Remove what these commands made, but not the data
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed, with its venv module (Debian: python3-venv)." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The project itself is installed without build isolation: what builds it is among the pins.
$(VENV)/run.stamp: requirements/embedded.txt requirements/build.txt pyproject.toml | $(BIN)/python
	@echo "Preparing the environment in $(VENV)"
	$(PIP) install --require-hashes -r requirements/embedded.txt -r requirements/build.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/dev.stamp: requirements/dev.txt pyproject.toml | $(BIN)/python
	@echo "Preparing the environment in $(VENV)"
	$(PIP) install --require-hashes -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation --editable .
	touch $@ $(VENV)/run.stamp

# Node and Java come along in an environment of their own, and with Node what npm installs.
$(CLIENTS)/tools.stamp: requirements/clients.txt tests/clients/package.json tests/clients/package-lock.json | $(BIN)/python
	@echo "Preparing the tools for clients in $(CLIENTS)"
	$(BIN)/python -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/clients.txt
	cp tests/clients/package.json tests/clients/package-lock.json tests/clients/.npmrc $(CLIENTS)
	cd $(CLIENTS) && PATH="$$PWD/bin:$$PATH" npm ci --silent
	touch $@

# The peer that the benchmark measures beside the service, in an environment of its own.
$(PEERS)/complete.stamp: requirements/peers.txt | $(BIN)/python
	@echo "Preparing the peer in $(PEERS)"
	$(BIN)/python -m venv $(PEERS)
	$(PEERS)/bin/python -m pip --disable-pip-version-check --quiet install --require-hashes -r requirements/peers.txt
	touch $@
