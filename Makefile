# Everything here sets itself up: it needs python3 (3.11 or later, with venv), git and make.
PYTHON ?= python3
# Not to be overridden: an environment that is set up anew is removed first.
override VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PIP_INSTALL := -m pip --disable-pip-version-check install --quiet --quiet
# Processes that tests run in; JOBS=0 keeps them in one that a debugger sees.
JOBS ?= auto
# Who is idle takes tests from the others. Of their files, those of what fails stay. A plugin that
# takes half a second to load is for the tests that need it.
WORKERS := -n $(JOBS) --dist worksteal -o tmp_path_retention_policy=failed -p no:schemathesis
# Where tests have their files: in memory, since a disk takes milliseconds for each commit.
IN_MEMORY = TMPDIR=$$(sh tests/memory.sh)
LOCKED := $(PIP_INSTALL) --require-hashes --no-deps -r
FUZZ_SECONDS ?= 10
FUZZ_RUNS ?= 10000000
FUZZ_END ?= -max_total_time=$(FUZZ_SECONDS)
FUZZ_TARGETS = $(sort $(wildcard tests/fuzz/fuzz_*.py))
ARGS ?=
# Where tests/systemd/test_later.py looks for it.
DEBIAN_13 := /var/cache/jrc/debian-13
DEBIAN_13_HAS := systemd,systemd-sysv,libnss-systemd,python3-venv,ca-certificates
# Else each program that a test starts would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE
# What is meant for either database; tests of the server alone (tests/store/test_postgresql.py and
# others) are in `make test`.
ON_POSTGRESQL = $(patsubst %,tests/store/test_%.py,aggregates changed_meanwhile database events \
	examine join_identifiers joins ledger lookup numbers pledge_search registrars rollovers toldkeys) \
	$(patsubst %,tests/service/test_%.py,enroll handovers imports import_settling nodes recovering recovering_runs \
	revoking rollover tokens update)

.DEFAULT_GOAL := help
.PHONY: help setup run test check lint test-cov test-postgresql test-faults test-faults-long test-gate test-net test-newcomer test-api test-systemd debian-13 test-container test-browser test-monitoring screenshots bench fuzz fuzz-long lock docs reference pictures wheel clean

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

run: $(READY) ## a registrar and 20 simulated pledges that join it; ARGS=--once ends after the joins
	@$(BIN)/jrc lab run $(ARGS)

test: $(READY) ## the tests that need nothing but loopback; ARGS goes to pytest
	@$(IN_MEMORY) $(BIN)/python -m pytest -q $(WORKERS) $(ARGS)

check: lint test-cov ## format, lint, types, import levels, tests with coverage

lint: $(READY) ## `make check` without the tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-cov: $(READY) ## the tests with branch coverage
	@$(IN_MEMORY) $(BIN)/python -m pytest -q $(WORKERS) --cov --cov-report=term:skip-covered $(ARGS)

test-postgresql: $(READY) ## tests of store and services once more, on a PostgreSQL server of their own
	@$(IN_MEMORY) JRC_TEST_DATABASE=postgresql $(BIN)/python -m pytest -q $(WORKERS) $(ON_POSTGRESQL) $(ARGS)

test-faults: $(READY) ## kills the daemon and traces its system calls; needs strace
	$(BIN)/python -m pytest -q -n $(JOBS) -o faulthandler_timeout=0 -m faults tests/faults tests/daemon $(ARGS)

test-faults-long: $(READY) ## 1,000 kills, 2,000 power cuts, an error at each write, 2,000 lives of the database: hours; prints figures
	JRC_TEST_EXAMPLES=2000 JRC_TEST_STEPS=50 $(BIN)/python -m pytest -q -o faulthandler_timeout=0 \
	  tests/service/test_state_in_any_order.py tests/provision/test_backchannel_in_any_order.py
	JRC_TEST_BENCH_PORTS=8 JRC_TEST_BENCH_BOARDS=25 $(BIN)/python -m pytest -q -rP tests/daemon/test_back_channel.py
	JRC_FAULTS=long $(BIN)/python -m pytest -q -n $(JOBS) -o faulthandler_timeout=0 -m faults -rP tests/faults tests/daemon $(ARGS)

test-gate: $(READY) ## 20 daemons broken on purpose, each by name with the test that sees it: minutes
	JRC_FAULTS=long $(BIN)/python -m pytest -v -o faulthandler_timeout=0 -m faults tests/faults \
	  -k "broken or overlook or shows or show or sees"

test-api: $(READY) ## a daemon's API over TLS under requests that its document makes up; JRC_TEST_EXAMPLES for each route
	$(BIN)/python -m pytest -q -n $(JOBS) -p schemathesis.pytest.plugin -m api --show-capture=no \
	  tests/daemon/test_fuzzed_api.py $(ARGS)

test-newcomer: $(READY) ## the tutorial with a PATH that has Python, git and make alone
	$(BIN)/python -m tests.documents.newcomer docs/tutorial.md

test-net: $(READY) ## three hosts in network namespaces; needs root and nft
	$(BIN)/python -m pytest -q -m hosts tests/hosts $(ARGS)

test-container: $(READY) ## builds the image and runs it; needs root, buildah and crun, and no network once the wheels are there
	$(BIN)/python -m pytest -q -o faulthandler_timeout=0 -m container tests/container $(ARGS)

test-browser: $(READY) ## the page in Chromium, against a daemon with a running rollover; needs chromium, takes a minute
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile -m browser tests/browser $(ARGS)

test-monitoring: $(READY) ## alert rules under promtool, dashboards with a Prometheus; needs Debian's prometheus, takes 20 s
	$(BIN)/python -m pytest -q -m monitoring tests/monitoring $(ARGS)

screenshots: $(READY) ## docs/pictures anew; needs chromium
	$(BIN)/python -m tests.browser.pictures docs/pictures

test-systemd: $(READY) ## install, joins, kills, restarts on a host that systemd has booted; needs root, systemd-nspawn and wheels from an index, takes two minutes
	$(BIN)/python -m pytest -q -o faulthandler_timeout=0 -m systemd tests/systemd $(ARGS)

debian-13: $(DEBIAN_13) ## a Debian 13, which `make test-systemd` boots as well where it is there; needs root, debootstrap and 300 MB
$(DEBIAN_13):
	rm -rf $@.new
	debootstrap --variant=minbase --include=$(DEBIAN_13_HAS) trixie $@.new http://deb.debian.org/debian
	mv $@.new $@

bench: $(READY) ## figures of speed and memory, as a table and JSON
	@$(BIN)/python -m benchmarks $(ARGS)

fuzz: $(VENV)-fuzz/.ready ## each fuzz target for FUZZ_SECONDS
	@test -n "$(FUZZ_TARGETS)" || { echo "no fuzz targets in tests/fuzz" >&2; exit 1; }
	@PYTHONPATH=. $(VENV)-fuzz/bin/python -m tests.fuzz.engine \
	  $(basename $(notdir $(FUZZ_TARGETS))) $(FUZZ_END) -verbosity=0

fuzz-long: ## each fuzz target for FUZZ_RUNS executions, 10 million; takes hours
	@$(MAKE) --no-print-directory fuzz FUZZ_END="-runs=$(FUZZ_RUNS) -print_final_stats=1"

docs: $(VENV)-docs/.ready ## these documents as a site, in dist/docs
	$(VENV)-docs/bin/sphinx-build -q -W --keep-going -d dist/doctrees docs dist/docs

reference: $(READY) ## pages, man pages and completions that are made from the code, anew
	$(BIN)/python -m docs.made

pictures: $(READY) ## the state diagrams of the documents anew; needs Graphviz
	$(BIN)/python -m docs.made.pictures

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
	$(COMPILE) -o requirements/image.txt -c requirements/dev.txt --extra postgresql pyproject.toml
	$(COMPILE) -o requirements/fuzz.txt requirements/fuzz.in
	$(COMPILE) -o requirements/docs.txt requirements/docs.in
	$(COMPILE) -o requirements/lock.txt requirements/lock.in

clean: ## removes the virtual environments and what tools left
	rm -rf $(VENV) $(VENV)-fuzz $(VENV)-lock $(VENV)-docs dist .mypy_cache .ruff_cache .pytest_cache .coverage*

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

$(VENV)-docs/.ready: requirements/docs.txt
	$(call venv,$(VENV)-docs)
	@$(VENV)-docs/bin/python $(LOCKED) requirements/docs.txt
	@touch $@

$(VENV)-lock/.ready: requirements/lock.txt
	$(call venv,$(VENV)-lock)
	@$(VENV)-lock/bin/python $(LOCKED) requirements/lock.txt
	@touch $@
