# Everything that sets a machine up and runs things on it. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON_BIN := .venv/bin/python
RUN = PYTHONPATH=scripts:include $(PYTHON_BIN) -m
# Database servers are in sbin, which is not on every user's PATH.
export PATH := $(PATH):/usr/local/sbin:/usr/sbin

.PHONY: help install check test chaos lint format lock audit sbom matrix upgrade-test docs mysql mysql-stop stack-test stack-digests clean migrate health grants sync check-shop replay benefit-policy import-reviews backup journal restore rebuild export today-link push import-csv import-targets demo demo-stop bi bi-stop env bench bench-growth bench-marts bench-rest mutants stack-scale

help:  ## list the targets
	@awk -F ':.*## ' '/^## / { printf "\n%s\n", substr($$0, 4) } /^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Develop

install:  ## virtual environment in .venv/ from the locks (PYTHON=python3.12 to choose the interpreter)
	@scripts/install

check: install  ## lint, and every test that needs no server: under a minute (ARGS= for pytest)
	@scripts/check $(ARGS)

test: install  ## what CI runs: lint, then all tests against MySQL and MariaDB, both started if need be (ARGS= for pytest, e.g. --cov)
	@scripts/test $(ARGS)

chaos: install  ## fault injection for hours; SHORT=1: each kind once, in under 20 minutes; PARTS=: only some (docs/reliability.md)
	@SHORT='$(SHORT)' PARTS='$(PARTS)' scripts/chaos $(ARGS)

lint: install  ## ruff, mypy, sqlfluff
	@scripts/lint

format: install  ## format the Python code and apply safe fixes
	.venv/bin/ruff check --fix .
	.venv/bin/ruff format .

lock: install  ## compile all requirements*.txt from their .in files (ARGS=--upgrade to take newer releases)
	@scripts/lock $(ARGS)

audit: install  ## known vulnerabilities of what the images pin; needs a vulnerability service (ARGS= for pip-audit)
	@scripts/audit $(ARGS)

sbom: install  ## what the images hold: bills of materials (CycloneDX) and licences, in .local/sbom/
	@scripts/sbom

matrix: install  ## imports the DAGs and tests with each Python here, locked and newest requirements, the next Airflow (ONLY='3.11/locked 3.12/newest')
	@ONLY='$(ONLY)' scripts/matrix $(ARGS)

upgrade-test: install  ## upgrade an installation in mid-run from the previous release, and go back; compares every table (FROM=revision)
	@$(RUN) upgrade $(FROM)

docs: install  ## regenerate the tables in docs/ from the code
	@$(PYTHON_BIN) scripts/docs.py

mysql:  ## start the private MySQL unless it runs; the last line is its DSN
	@scripts/servers/database start

mysql-stop:  ## stop the private database servers
	@scripts/servers/database stop

stack-test: install  ## run docker-compose.yaml with the demo, check it, remove it; needs a Docker engine (KEEP=1 leaves it running; SMALL=30 also measures it for 30 minutes as a small server)
	@scripts/stack/test

stack-digests:  ## print the digests of the public images that the stack names, to pin them; asks their registry
	@scripts/stack/digests

clean:  ## stop everything started here; remove .venv, .local and all caches
	@scripts/clean

## Operate

migrate: install  ## migrate the schema of the database of connection xiaoe_mysql
	@$(PYTHON_BIN) -m xiaoe.cli migrate

health:  ## list stale syncs, independently of Airflow; fails if there are any (for cron)
	@$(PYTHON_BIN) -m xiaoe.cli health

grants: install  ## the database users, one per purpose: prints the SQL (APPLY=1 runs it as xiaoe_mysql_admin) [ONLY=bi_reader HOST=% TLS=1 SHOW=1 FRESH=1 JOURNAL=1]
	@$(PYTHON_BIN) -m xiaoe.cli grants $(if $(APPLY),--apply) $(if $(HOST),--host '$(HOST)') $(if $(TLS),--tls) $(if $(SHOW),--show) $(if $(FRESH),--fresh) $(if $(JOURNAL),--journal) $(if $(ONLY),--only '$(ONLY)')

sync: install  ## run a sync once in the foreground: TYPE= (without it: list them) [FROM= TO= RETRY=0]
	@$(PYTHON_BIN) -m xiaoe.cli sync $(if $(TYPE),--type '$(TYPE)') $(if $(filter 0,$(RETRY)),--no-retry) $(if $(FROM),--from '$(FROM)') $(if $(TO),--to '$(TO)')

check-shop: install  ## what the shop's API grants, how it behaves, whether its rows fit: read-only, a minute [LANG=en RECORD=1 keeps the answers, personal values replaced]
	@$(PYTHON_BIN) -m xiaoe.cli check-shop $(if $(filter zh en,$(LANG)),--lang $(filter zh en,$(LANG))) $(if $(RECORD),--record) $(ARGS)

replay: install  ## serve what `make check-shop RECORD=1` kept as a shop on this machine: CASSETTE=file [PORT=]
	@: $(or $(CASSETTE),$(error CASSETTE is missing: make replay CASSETTE=shop-check-….cassette.jsonl [PORT=8091]))
	@$(PYTHON_BIN) -m xiaoe.cli replay --cassette '$(CASSETTE)' $(if $(PORT),--port '$(PORT)')

benefit-policy: install  ## show the effect of a changed include/benefit_policy.yaml on past decisions (APPLY=1 puts it in force)
	@$(PYTHON_BIN) -m xiaoe.cli benefit-policy $(if $(APPLY),--apply)

import-reviews: install  ## check the answers of a daily report's sheet 人工复核 (APPLY=1 stores them): FILE=福利判定-….xlsx [BY=name]
	@: $(or $(FILE),$(error FILE is missing: make import-reviews FILE=福利判定-….xlsx [BY=name] [APPLY=1]))
	@$(PYTHON_BIN) -m xiaoe.cli import-reviews --file '$(FILE)' $(if $(BY),--by '$(BY)') $(if $(APPLY),--apply)

backup: install  ## dump the warehouse into XIAOE_BACKUP_STORE now
	@$(PYTHON_BIN) -m xiaoe.cli backup

journal: install  ## ship every change to the backup store until stopped, for `make restore TO=` (docs/backup.md)
	@$(PYTHON_BIN) -m xiaoe.cli journal

restore: install  ## restore a backup: FILE=path or URL, or TO=moment (Beijing) or latest [INTO=another_database] [FORCE=1 drops what the database holds]
	@: $(or $(FILE)$(TO),$(error FILE and TO are missing: make restore FILE=path or URL, or TO='2026-11-20 12:34:56' [INTO=another_database] [FORCE=1]))
	@$(PYTHON_BIN) -m xiaoe.cli restore $(if $(TO),--to '$(TO)',--file '$(FILE)') $(if $(INTO),--into '$(INTO)') $(if $(FORCE),--force)

rebuild: install  ## merge all stored pages, e.g. after a restore [RESOURCE=orders] [ACCEPT_MISSING=1]
	@$(PYTHON_BIN) -m xiaoe.cli rebuild $(if $(RESOURCE),--resource '$(RESOURCE)') $(if $(ACCEPT_MISSING),--accept-missing)

export: install  ## export a table as xlsx with Chinese headings: TABLE=orders|order_items|refunds|users|daily_sales|… [FROM= TO= FORMAT=csv PERSONAL=0 CODES=1 LANG=en]
	@: $(or $(TABLE),$(error TABLE is missing: make export TABLE=orders [FROM=2026-11-01 TO=2026-12-01] [FORMAT=csv] [PERSONAL=0 leaves out names, phones, addresses] [CODES=1]))
	@$(PYTHON_BIN) -m xiaoe.cli export --table '$(TABLE)' $(if $(FROM),--from '$(FROM)') $(if $(TO),--to '$(TO)') $(if $(FORMAT),--format '$(FORMAT)') $(if $(filter 0,$(PERSONAL)),--no-personal) $(if $(CODES),--codes) $(if $(filter zh en,$(LANG)),--lang $(filter zh en,$(LANG)))

today-link: install  ## print a link that opens the phone page 今日经营 without a log-in; needs AIRFLOW__API__SECRET_KEY and AIRFLOW__API__BASE_URL
	@$(PYTHON_BIN) -m xiaoe.cli today-link

push: install  ## take the shops' message push until stopped: push_token and push_secret in their connections (docs/deployment.md)
	@$(PYTHON_BIN) -m xiaoe.cli push

import-csv: install  ## check the import of orders from a CSV or xlsx (APPLY=1 writes): FILE=path [SHOP=app_id]
	@: $(or $(FILE),$(error FILE is missing: make import-csv FILE=old.csv [SHOP=app_id] [APPLY=1]))
	@$(PYTHON_BIN) -m xiaoe.cli import-csv --file '$(FILE)' $(if $(SHOP),--shop '$(SHOP)') $(if $(APPLY),--apply)

import-targets: install  ## check monthly targets in an xlsx (APPLY=1 writes): FILE=path; without FILE: write the workbook to fill in [TEMPLATE=path]
	@$(PYTHON_BIN) -m xiaoe.cli import-targets $(if $(FILE),--file '$(FILE)') $(if $(TEMPLATE),--template '$(TEMPLATE)') $(if $(APPLY),--apply)

demo: install  ## run an emulated shop, a database and Airflow on this machine; prints the addresses (ARGS= for the emulator)
	@$(RUN) demo $(ARGS)

demo-stop:  ## stop what `make demo` started
	@$(RUN) demo stop

bi: install  ## run Superset on this machine, with the dashboards over the demo's tables; prints address and logins
	@scripts/bi/install
	@$(RUN) bi

bi-stop:  ## stop what `make bi` started
	@$(RUN) bi stop

env:  ## create secrets and settings for docker compose: .env, airflow.env (DEMO=1: with the demo's shops)
	@scripts/env $(if $(DEMO),--demo)

## Measure

bench: install  ## measure first load and rescan against dlt, sling, plain scripts and LOAD DATA, on a durable server (SIZE=number of orders ARGS=--help)
	@scripts/bench/install
	@$(RUN) bench $(if $(SIZE),--size '$(SIZE)') $(ARGS)

bench-growth: install  ## measure the growth of time and memory, up to a million orders a window and ten million in the table
	@$(RUN) bench.growth $(ARGS)

bench-marts: install  ## measure the marts and every tile of the dashboards beside five million orders (SIZE=number of orders ARGS=)
	@PYTHONPATH=scripts:include:include/superset $(PYTHON_BIN) -m bench.marts $(if $(SIZE),--size '$(SIZE)') $(ARGS)

bench-rest: install  ## measure fetching, pushes, a small incremental, parsing the DAGs, an idle scheduler
	@$(RUN) bench.rest $(ARGS)

mutants: install  ## change an SQL template at one place at a time; print what no test notices: SQL=file TESTS='arguments of pytest' [ARGS=--most 50]
	@$(PYTHON_BIN) scripts/mutants.py --sql '$(SQL)' --tests '$(TESTS)' $(ARGS)

stack-scale: install  ## measure several workers, kill some, test the API's limit; needs a Docker engine (ARGS=--help)
	@$(RUN) stack.scale $(ARGS)
