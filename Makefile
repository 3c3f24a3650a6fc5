# The first two targets are all a newcomer needs: `make demo` and `make test`.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PYTEST := $(BIN)/python -m pytest

# Which tests of a suite, and in which files: all.
TESTS ?=

export FLWR_TELEMETRY_ENABLED := 0
export RAY_USAGE_STATS_ENABLED := 0

.PHONY: demo test test-slow test-ray test-bench test-faults test-deploy test-compose test-browser lint bench docs constraints clean

demo: $(VENV)/ready
	$(BIN)/hothouse run scenarios/quickstart.yaml

# What each suite guards and when to run it: docs/testing.md.
test: $(VENV)/ready-to-test
	$(PYTEST) -n 2 --dist loadfile $(TESTS)

test-slow: $(VENV)/ready-to-test
	$(PYTEST) -m 'slow and not ray' -n 2 --dist loadfile $(TESTS)

test-ray: $(VENV)/ready-to-test
	$(PYTEST) -m ray -n 2 $(TESTS)

test-faults: $(VENV)/ready-to-test
	$(PYTEST) -m faults -n 2 --dist worksteal $(TESTS)

# Servers mostly wait for each other, so there is room for more of them than there are processors.
test-deploy: $(VENV)/ready-to-test
	$(PYTEST) -m deploy -n 3 --dist worksteal $(TESTS)

test-bench test-browser: test-%: $(VENV)/ready-to-test
	$(PYTEST) -m $* $(TESTS)

test-compose: $(VENV)/ready-to-test
	docker/with-engine.sh $(PYTEST) -m compose $(TESTS)

lint: $(VENV)/ready-to-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/ready-to-test
	$(BIN)/python benchmarks/rounds.py

clean:
	rm -rf $(VENV) runs

# PyTorch comes first and by itself, so that pip takes the build that suits this machine.
$(VENV)/ready: pyproject.toml constraints.txt setup.py $(wildcard clients/compiled/kernel/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hothouse needs Python 3.11 or newer: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable .
	touch $@

$(VENV)/ready-to-test: $(VENV)/ready
	$(PIP) --editable '.[test]'
	touch $@

docs: $(VENV)/ready
	$(BIN)/hothouse schema > docs/scenario.schema.json
	$(BIN)/hothouse schema --markdown > docs/scenario.md

# The newest versions that go together within the ranges of pyproject.toml, extras included; KEEP holds some back:
# make constraints KEEP='torch==2.13.0 ray==2.55.1'
constraints:
	$(PYTHON) -m venv --clear build/fresh
	build/fresh/bin/python -m pip install --quiet --disable-pip-version-check $(or $(KEEP),torch)
	build/fresh/bin/python -m pip install --quiet --disable-pip-version-check $(KEEP) '.[test]'
	sed -n '/^#/!q;p' constraints.txt > build/constraints.txt
	build/fresh/bin/python -m pip freeze --exclude hothouse | sed 's/+[a-z0-9.]*$$//' >> build/constraints.txt
	mv build/constraints.txt constraints.txt
	rm -rf build/fresh
