# `make help` lists what there is. Two commands do everything: `make demo` and `make test`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PORT ?= 8000
SERVE ?= 1
VENV := .venv
RUN := $(VENV)/bin
# The environment variable keeps pip quiet about itself; --no-compile leaves byte code to be made as modules are used.
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 $(RUN)/python -m pip install --quiet --require-hashes

.PHONY: help demo test check fix lock bench load calibrate pictures translations clean

help:  ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/installed  ## install, build a demonstration trial and serve it (PORT=8000, SERVE=0, FRESH=1)
	@$(RUN)/evalapp demo --port $(PORT) $(if $(filter 0,$(SERVE)),--no-serve) $(if $(FRESH),--fresh)

test: $(VENV)/dev system  ## run every test, browser and PostgreSQL included
	$(RUN)/pytest -n auto --dist loadfile

check: $(VENV)/dev  ## format, lint, types, import rules, templates, translations, migrations, unused code
	$(RUN)/ruff format --check .
	$(RUN)/ruff check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/djlint --lint --quiet evalapp
	$(RUN)/python -m instruments check
	$(RUN)/vulture
	@bash .ci/check-migrations
	@bash .ci/check-requirements

fix: $(VENV)/dev  ## format, and mend what can be mended by a tool
	$(RUN)/ruff format .
	$(RUN)/ruff check --fix .

lock: $(VENV)/dev  ## pin the dependencies anew, with hashes and without any address
	@bash .ci/lock

bench: $(VENV)/dev  ## speed against the tools in use today (R comes by apt); writes docs/benchmarks.md
	@bash .ci/system r
	$(RUN)/python -m tests.benchmarks.run

load: $(VENV)/dev  ## fifty power cuts under sixteen people, then a hundred people at once (minutes); writes docs/benchmarks-people.md
	LOAD_ROUNDS=50 LOAD_CLIENTS=16 $(RUN)/pytest -q tests/journeys/test_crash.py
	$(RUN)/python -m tests.benchmarks.hundred

calibrate: $(VENV)/dev  ## how often each method errs in simulated trials of known truth (minutes); writes docs/calibration.md
	$(RUN)/python -m tests.calibration.run

pictures: $(VENV)/dev system  ## take the README's pictures from the running demonstration
	$(RUN)/python -m tests.pictures

translations: $(VENV)/dev  ## gather the participant's and the funder's texts and compile their translations
	$(RUN)/pybabel -q extract -F evalapp/translations/babel.cfg -k lazy_gettext --omit-header -o build/messages.pot evalapp
	$(RUN)/pybabel -q update -i build/messages.pot -d evalapp/translations --no-fuzzy-matching --omit-header
	$(RUN)/pybabel -q compile -d evalapp/translations
	$(RUN)/pybabel -q extract -F evalapp/translations/funder.cfg -k N_ --omit-header -o build/funder.pot evalapp
	$(RUN)/pybabel -q update -D funder -i build/funder.pot -d evalapp/translations --no-fuzzy-matching --omit-header
	$(RUN)/pybabel -q compile -D funder -d evalapp/translations

clean:  ## remove what these commands made (not instance/, which holds data)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build ./*.egg-info

.PHONY: system
system:
	@bash .ci/system browser pdf postgresql

$(VENV)/bin/python:
	@bash .ci/python $(VENV)

$(VENV)/installed: $(VENV)/bin/python requirements.txt pyproject.toml
	$(PIP) --no-compile -r requirements.txt
	@bash .ci/link $(VENV)
	@touch $@

$(VENV)/dev: $(VENV)/bin/python requirements-dev.txt pyproject.toml
	$(PIP) --no-compile -r requirements-dev.txt
	@bash .ci/link $(VENV)
	@touch $@ $(VENV)/installed
