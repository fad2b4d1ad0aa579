# make help lists what there is. Everything lives in .venv; nothing is installed outside of it.

VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCKED := $(PIP) install --require-hashes
STAMP  := $(VENV)/.stamp
WORKERS ?= 2
ARGS   ?=
TESTS  ?=
LINTED := noc_console engine data themes tests
PIP_COMPILE := CUSTOM_COMPILE_COMMAND="make lock" PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= PIP_EXTRA_INDEX_URL= \
	build/lock/bin/pip-compile --quiet --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test lint style format types contracts audit lock wheel clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(STAMP)-run ## .venv with .venv/bin/noc-console, from the locked dependencies

setup-dev: $(STAMP)-run $(STAMP)-dev ## setup, and what tests and gates need

run: setup ## open the console; make run ARGS="attach http://host:8099" for anything else
	@$(BIN)/noc-console $(ARGS)

# A test of real clocks, processes and terminals may fail once on a machine that stood still: what failed runs a second
# time by itself, named in the output, and what fails then has failed.
test: setup-dev ## all tests but the benchmarks; make test TESTS=tests/core WORKERS=0
	$(BIN)/python -m pytest -n $(WORKERS) $(TESTS) || { [ $$? = 1 ] && \
		printf '\n== failed at first, once more by itself\n' && \
		$(BIN)/python -m pytest -n 0 -p no:randomly -v --last-failed --last-failed-no-failures none --maxfail 1; }

lint: style types contracts ## the three below

style: setup-dev ## ruff
	$(BIN)/ruff check $(LINTED)

format: setup-dev ## sort the imports and take what ruff can fix by itself
	$(BIN)/ruff check --fix $(LINTED)

types: setup-dev ## mypy --strict
	$(BIN)/mypy

contracts: setup-dev ## which package may import which
	$(BIN)/lint-imports

audit: setup-dev ## known holes in the locked dependencies
	$(BIN)/pip-audit --require-hashes --disable-pip -r requirements.lock

lock: build/lock/bin/pip-compile ## take new versions into the locks (UPGRADE=--upgrade), from the public index only
	$(PIP_COMPILE) $(UPGRADE) -o requirements.lock pyproject.toml
	$(PIP_COMPILE) $(UPGRADE) --all-build-deps --only-build-deps -o requirements-build.lock pyproject.toml
	$(PIP_COMPILE) $(UPGRADE) --extra dev -c requirements.lock -c requirements-build.lock -o requirements-dev.lock pyproject.toml

wheel: setup ## dist/noc_console-*.whl
	rm -rf dist
	$(PIP) wheel --no-deps --no-build-isolation --wheel-dir dist .
	@ls dist/*.whl

clean: ## remove .venv, build and caches
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find noc_console engine data themes tests -name __pycache__ -type d -prune -exec rm -rf {} +

# A Python that is too old, or one without venv, ends here with a sentence instead of deep inside pip.
$(STAMP)-venv:
	@python=""; for candidate in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "noc-console needs Python 3.11 or newer; python3 here is: $$(python3 --version 2>&1 || echo none)." >&2; \
	  echo "Install one (Debian: apt install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3.12" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  echo "$$python has no venv module. Install it (Debian: apt install python3-venv) and run make again." >&2; exit 1; \
	fi; \
	"$$python" -m venv $(VENV)
	@touch $@

$(STAMP)-run: $(STAMP)-venv requirements.lock requirements-build.lock pyproject.toml
	$(LOCKED) -r requirements.lock -r requirements-build.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(STAMP)-dev: $(STAMP)-run requirements-dev.lock
	$(LOCKED) -r requirements-dev.lock
	@touch $@

# The oldest Python that is supported: what it needs covers the newer ones too.
build/lock/bin/pip-compile:
	python3.11 -m venv build/lock
	build/lock/bin/pip install --quiet pip-tools==7.6.2
