# Everything people and the build do with volbal; `make help` lists it. Needs Python 3.11 or newer and make.

.DEFAULT_GOAL := help
.PHONY: help setup run dev test check format conformance bench chaos verify coverage lock reconcile clean python environment environment-serve

# The first Python that is new enough; name another with PYTHON=…
PYTHON := $(or $(PYTHON),$(shell for name in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if $$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then echo $$name; break; fi; \
	done),python3)
VENV ?= .venv
HOST ?= localhost
PORT ?= 8000
RUN := $(VENV)/bin/python
SERVE = $(RUN) manage.py serve --host $(HOST) --port $(PORT) $(if $(filter-out 0,$(RESET)),--reset)

help: ## list these targets
	@echo "volbal. Variables: HOST=$(HOST) PORT=$(PORT) RESET=1 (start over) PYTHON=$(PYTHON)"
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-16s %s\n", $$1, $$2 }'

python:
	@command -v $(PYTHON) >/dev/null || { echo "volbal needs Python 3.11 or newer, and no $(PYTHON) was found." \
		"Install it (on Debian: apt-get install python3 python3-venv) or name it: make run PYTHON=/path/to/python"; exit 1; }

environment-serve: python
	@$(PYTHON) requirements/install.py base --environment $(VENV)

environment: python
	@$(PYTHON) requirements/install.py development --environment $(VENV)

setup: environment ## create .venv and install everything for working on the project

run: environment-serve ## serve the demonstration (or your data) on http://localhost:8000; RESET=1 starts over
	@$(SERVE)

dev: environment ## as run, with reload on change, the debug toolbar and seeded synthetic prices
	@DEBUG=1 SEED_SYNTHETIC_PRICES=1 $(SERVE) --reload

test: environment ## run every test: on SQLite, with PostgreSQL and Redis where they answer, in a browser where there is one
	@$(RUN) -m tests.run $(ARGS)

check: environment ## lint, format, types, layers, migrations, deployment settings, locks
	@$(RUN) -m tests.check

format: environment ## put every file in form and sort imports
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

conformance: environment ## put every broker's adapter to one suite and print what each supports
	@$(RUN) -m tests.conformance $(ARGS)

bench: environment ## measure speed and print figures beside references
	@$(RUN) -m tests.benchmarks $(ARGS)

chaos: environment ## kill workers, servers and lines under load and check every promise; ARGS="--kills 200 --seed 7"
	@$(RUN) -m tests.chaos $(ARGS)

coverage: environment ## measure covered lines and branches, the compiled rule as plain Python
	@$(RUN) -m tests.coverage

verify: check ## the long version: deeper properties, coverage, every service and page, full benchmarks, hours of chaos
	@HYPOTHESIS_PROFILE=deep $(RUN) -m tests.run --require-all
	@$(RUN) -m tests.coverage
	@$(RUN) -m tests.benchmarks
	@$(RUN) -m tests.chaos --kills 5000 --seconds 14400

reconcile: environment-serve ## recompute every cell from its ledger and report differences
	@$(RUN) manage.py reconcile

# Each larger lock is held to the pins of the smaller, so that one environment serves both.
COMPILE = $(RUN) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade
OVERRIDE = --override requirements/overrides.txt
lock: environment ## resolve the requirements anew and write the locks with hashes
	@$(COMPILE) requirements/base.in -o requirements/base.txt
	@$(COMPILE) requirements/production.in -c requirements/base.txt -o requirements/production.txt
	@$(COMPILE) requirements/interactive-brokers.in -c requirements/production.txt $(OVERRIDE) -o requirements/interactive-brokers.txt
	@$(COMPILE) requirements/development.in -c requirements/production.txt -c requirements/interactive-brokers.txt $(OVERRIDE) \
		-o requirements/development.txt
	@$(COMPILE) requirements/yahoo.in -c requirements/production.txt -o requirements/yahoo.txt
	@$(RUN) requirements/check.py

clean: ## remove what tools made; keeps .venv and your data in var
	rm -rf .mypy_cache .ruff_cache .import_linter_cache .pytest_cache .hypothesis .coverage htmlcov staticfiles
	find . -name __pycache__ -type d -not -path './.venv/*' -prune -exec rm -rf {} +
