# Everything that sets a machine up and runs things on it. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON_BIN := .venv/bin/python
# Database servers lie in sbin, which is not on every user's PATH.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin

.PHONY: help install test lint format lock mysql mysql-stop migrate sync benefit-policy demo demo-stop env stack-test bench docs clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install:  ## virtual environment in .venv/ from the locks (PYTHON=python3.12 to choose the interpreter)
	@scripts/install

test: install  ## lint, then all tests against MySQL and MariaDB, both started if need be (ARGS= for pytest)
	@scripts/test $(ARGS)

lint: install  ## ruff, mypy, sqlfluff
	@failed=0; \
	run() { echo "$$*"; .venv/bin/"$$@" || failed=1; }; \
	run ruff check --quiet .; \
	run ruff format --check --quiet .; \
	run mypy; \
	run sqlfluff lint --disable-progress-bar include/sql; \
	exit $$failed

format: install  ## reformat the Python code and fix what can be fixed safely
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: install  ## compile all requirements*.txt from their .in files (ARGS=--upgrade to take newer releases)
	@scripts/lock $(ARGS)

mysql:  ## start the private MySQL unless it runs; the last line is its DSN
	@scripts/database start

mysql-stop:  ## stop the private database servers
	@scripts/database stop

migrate: install  ## bring the schema of the database that the connection xiaoe_mysql names up to date
	@$(PYTHON_BIN) -m xiaoe.cli migrate

sync: install  ## one run of a sync in the foreground: TYPE=incremental|history|rescan|deep_rescan|refunds|dimensions|benefits [FROM= TO=]
	@: $(or $(TYPE),$(error TYPE is missing: make sync TYPE=incremental|history|rescan|deep_rescan|refunds|dimensions|benefits [FROM= TO=]))
	@$(PYTHON_BIN) -m xiaoe.cli sync --type '$(TYPE)' $(if $(FROM),--from '$(FROM)') $(if $(TO),--to '$(TO)')

benefit-policy: install  ## what a change of include/benefit_policy.yaml would do to past decisions (APPLY=1 puts it in force)
	@$(PYTHON_BIN) -m xiaoe.cli benefit-policy $(if $(APPLY),--apply)

demo: install  ## a shop, a database and Airflow on this machine, filled and running; prints where to look (ARGS= for the emulator)
	@$(PYTHON_BIN) scripts/demo.py $(ARGS)

demo-stop:  ## stop what `make demo` started
	@$(PYTHON_BIN) scripts/demo.py stop

env:  ## secrets and settings for docker compose: .env, airflow.env (DEMO=1: with the shops of the demo)
	@scripts/env $(if $(DEMO),--demo)

stack-test: install  ## run docker-compose.yaml with the demo, check it, remove it; needs a Docker engine (KEEP=1 leaves it running)
	@scripts/stack-test

bench: install  ## measure loading and rescanning (SIZE=number of orders)
	@$(PYTHON_BIN) scripts/bench.py $(if $(SIZE),--size '$(SIZE)')

docs: install  ## regenerate the tables in docs/ that are made from the code
	@$(PYTHON_BIN) -m xiaoe.cli docs

clean:  ## stop everything that was started here, remove .venv, .local and all caches
	@scripts/clean
