# What a developer or operator types. Needs make and Python 3.11 or newer with its venv module, and no root.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
RUN := $(VENV)/bin/python
JOBS ?= 2
.DEFAULT_GOAL := help
.PHONY: help env embedded dev up test lint audit unit chaos bench load screenshots docs

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

env: $(RUN) ## what is needed to run, in .venv
	@$(call install,requirements.txt)

dev: env
	@$(call install,requirements-dev.txt)

embedded: env
	@$(call install,requirements-embedded.txt)

up: embedded ## everything embedded on this machine, fed with swaps
	@$(RUN) manage.py up

test: dev lint unit ## lint, then all tests but the slow ones

lint: dev ## style, types, and the arrows between the rooms
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(VENV)/bin/lint-imports
	$(RUN) -m mypy .

audit: env ## look the pinned packages up among known vulnerabilities (needs the internet)
	@$(RUN) -m venv $(VENV)/audit
	@$(VENV)/audit/bin/python -m pip install --quiet --disable-pip-version-check pip-audit==2.10.1
	$(VENV)/audit/bin/pip-audit -r requirements.txt -r requirements-embedded.txt --no-deps --disable-pip

unit: dev
	$(RUN) -m pytest -n $(JOBS) --dist loadfile -m "not slow" -rs

chaos: dev ## break real parts, the long way, and write what came of it into docs/reliability.md
	SWAPSTATS_CHAOS_REPORT=docs/reliability.md $(RUN) -m pytest tests/chaos -v -s -rs

bench: dev ## measure throughput and latency
	$(RUN) -m tests.load.bench_live
	$(RUN) -m tests.load.wsload
	$(RUN) -m tests.load.bench_http

load: dev ## the loads that were asked for, with percentiles; ends with 1 where something was lost, wrong or slower
	$(RUN) -m tests.load.mission
	$(RUN) -m tests.load.bench_archive
	$(RUN) -m tests.browser.frames

screenshots: dev ## pictures of the pages for docs/images, while make up runs
	$(RUN) -m tests.browser.screenshots

docs: dev ## write again the pages that are made from code
	$(RUN) -m settings.config.document
	$(RUN) -m swapstats.metrics.document
	$(RUN) -m swapstats.metrics.dashboards

$(RUN):
	@test -n "$(PYTHON)" || { echo "swapstats needs Python 3.11 or newer: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "swapstats needs Python 3.11 or newer, not $$($(PYTHON) -V); try: make PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make a virtual environment; on Debian: apt-get install python3-venv"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

# Installs $(1), unless no requirement has changed since it was installed.
define install
cat requirements*.txt | cmp -s - $(VENV)/$(1).installed || { \
	echo "installing $(1)"; \
	$(RUN) -m pip install --quiet --disable-pip-version-check -r $(1) && \
	cat requirements*.txt > $(VENV)/$(1).installed; }
endef
