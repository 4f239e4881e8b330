# Everything here sets itself up: it needs python3 (3.11 or later, with venv), git and make.
PYTHON ?= python3
# Not to be overridden: an environment that is set up anew is removed first.
override VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet --quiet
# Processes that tests run in, a file in one of them; JOBS=0 keeps them in one that a debugger sees.
JOBS ?= auto
WORKERS := -n $(JOBS) --dist loadfile
LOCKED := $(PIP_INSTALL) --require-hashes --no-deps -r
FUZZ_SECONDS ?= 10
FUZZ_RUNS ?= 10000000
FUZZ_END ?= -max_total_time=$(FUZZ_SECONDS)
FUZZ_TARGETS = $(sort $(wildcard tests/fuzz/fuzz_*.py))
ARGS ?=
# What is meant for either database; tests of the server alone (tests/store/test_postgresql.py and
# others) are in `make test`.
ON_POSTGRESQL = $(patsubst %,tests/store/test_%.py,aggregates changed_meanwhile database events \
	examine join_identifiers joins ledger lookup numbers registrars rollovers toldkeys) \
	$(patsubst %,tests/service/test_%.py,enroll imports nodes recovering revoking rollover update)

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint test-cov test-postgresql test-faults test-faults-long test-net bench fuzz fuzz-long lock wheel clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

run: $(READY) ## a registrar and 20 simulated pledges that join it; ARGS=--once ends after the joins
	@$(BIN)/jrc lab run $(ARGS)

test: $(READY) ## the tests that need nothing but loopback; ARGS goes to pytest
	@$(BIN)/python -m pytest -q $(WORKERS) $(ARGS)

check: lint test-cov ## format, lint, types, import levels, tests with coverage

lint: $(READY) ## `make check` without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-cov: $(READY) ## the tests with branch coverage
	@$(BIN)/python -m pytest -q $(WORKERS) --cov --cov-report=term:skip-covered $(ARGS)

test-postgresql: $(READY) ## tests of store and services once more, on a PostgreSQL server of their own
	@JRC_TEST_DATABASE=postgresql $(BIN)/python -m pytest -q $(WORKERS) $(ON_POSTGRESQL) $(ARGS)

test-faults: $(READY) ## kills the daemon and traces its system calls; needs strace
	$(BIN)/python -m pytest -q -n $(JOBS) -o faulthandler_timeout=0 -m faults tests/faults $(ARGS)

test-faults-long: $(READY) ## 1,000 kills, 2,000 power cuts, an error at each write: an hour; prints figures
	JRC_FAULTS=long $(BIN)/python -m pytest -q -n $(JOBS) -o faulthandler_timeout=0 -m faults -rP tests/faults $(ARGS)

test-net: $(READY) ## three hosts in network namespaces; needs root and nft
	$(BIN)/python -m pytest -q -m hosts tests/hosts $(ARGS)

bench: $(READY) ## figures of speed and memory, as a table and JSON
	@$(BIN)/python -m benchmarks $(ARGS)

fuzz: $(VENV)-fuzz/.ready ## each fuzz target for FUZZ_SECONDS
	@test -n "$(FUZZ_TARGETS)" || { echo "no fuzz targets in tests/fuzz" >&2; exit 1; }
	@set -e; for target in $(FUZZ_TARGETS); do echo "== $$target"; \
	  PYTHONPATH=. $(VENV)-fuzz/bin/python $$target $(FUZZ_END) -verbosity=0; done

fuzz-long: ## each fuzz target for FUZZ_RUNS executions, 10 million; takes hours
	@$(MAKE) --no-print-directory fuzz FUZZ_END="-runs=$(FUZZ_RUNS) -print_final_stats=1"

wheel: $(READY) ## dist/jrc-*.whl
	$(BIN)/python -m hatchling build -t wheel

# pip-compile keeps what is pinned; UPGRADE=--upgrade takes the newest.
COMPILE = $(VENV)-lock/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-header --no-emit-options --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host $(UPGRADE)

lock: $(VENV)-lock/.ready ## the hash-pinned requirements anew; UPGRADE=--upgrade for newer ones
	$(COMPILE) -o requirements/run.txt pyproject.toml
	$(COMPILE) -o requirements/build.txt requirements/build.in
	$(COMPILE) -o requirements/dev.txt -c requirements/run.txt pyproject.toml \
	  requirements/build.in requirements/dev.in
	$(COMPILE) -o requirements/fuzz.txt requirements/fuzz.in
	$(COMPILE) -o requirements/lock.txt requirements/lock.in

clean: ## removes the virtual environments and what tools left
	rm -rf $(VENV) $(VENV)-fuzz $(VENV)-lock dist .mypy_cache .ruff_cache .pytest_cache .coverage*

setup: $(READY) ## the virtual environment alone

# $(call venv,DIR): an empty virtual environment in DIR, or one sentence on what is missing.
define venv
@command -v $(PYTHON) >/dev/null || \
  { echo "$(PYTHON) not found: install Python 3.11 or later, or say make PYTHON=/path/to/python3" >&2; exit 1; }
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "$$($(PYTHON) --version) is too old: jrc needs 3.11 or later; say make PYTHON=python3.11" >&2; exit 1; }
@echo "setting up $(1)" >&2; rm -rf $(1); $(PYTHON) -m venv $(1) || \
  { rm -rf $(1); echo "Python's venv does not work: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
endef

$(VENV)/.locked: requirements/dev.txt
	$(call venv,$(VENV))
	@$(BIN)/python $(LOCKED) requirements/dev.txt
	@touch $@

$(READY): $(VENV)/.locked pyproject.toml
	@$(BIN)/python $(PIP_INSTALL) --no-deps --no-index --no-build-isolation -e .
	@touch $@

$(VENV)-fuzz/.ready: requirements/fuzz.txt requirements/run.txt
	$(call venv,$(VENV)-fuzz)
	@$(VENV)-fuzz/bin/python $(LOCKED) requirements/run.txt
	@$(VENV)-fuzz/bin/python $(LOCKED) requirements/fuzz.txt
	@touch $@

$(VENV)-lock/.ready: requirements/lock.txt
	$(call venv,$(VENV)-lock)
	@$(VENV)-lock/bin/python $(LOCKED) requirements/lock.txt
	@touch $@
