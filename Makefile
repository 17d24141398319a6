# Every target does its own set-up: a virtual environment in .venv, with the versions of constraints.txt.

VENV := .venv
BIN := $(VENV)/bin
PEERS := .venv-bench
PYTHON ?= $(shell for name in python3.11 python3.12 python3.13 python3.14 python3; do \
	"$$name" -c 'import sys, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' \
	>/dev/null 2>&1 && echo "$$name" && break; done)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
# Two test processes of one thread each are faster on two cores than one of two threads.
TEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

.DEFAULT_GOAL := help
.PHONY: help demo test test-all check format bench faults peers clean

help: ## What there is to make
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.core ## Fetch a year of real flights, learn which arrive late, write a report
	@$(BIN)/python examples/flights.py demo/flights.csv
	@$(BIN)/treadle fit demo/flights.csv --target late --time time_hour --out demo/run --overwrite \
		--until "90 seconds"
	@echo "Open demo/run/report.html in a browser."

test: check ## The checks, then every test but the slow ones
	$(TEST) -m "not slow"

test-all: check ## The checks, then every test
	$(TEST)

check: $(VENV)/.dev ## Style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.dev ## Put the code into the shape that `make check` asks for
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.dev $(PEERS)/.installed ## Measure the speed beside others'; DATA=folder for trees on real rows
	$(BIN)/python benchmarks/speed/run.py $(if $(DATA),--data "$(DATA)")

faults: $(VENV)/.dev ## Kill trainings, break disks and flip bits by the thousand (about two hours)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.faults.run --write

peers: $(VENV)/.bench ## Install what the measurements in benchmarks/quality compare with

clean: ## Remove the environment, the demo and every cache
	rm -rf $(VENV) $(PEERS) demo .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(BIN)/python:
	@test -n "$(PYTHON)" || { \
		echo "Treadle needs Python 3.11 to 3.14 with its venv module, and found none."; \
		echo "On Debian or Ubuntu: apt install python3 python3-venv. Or name one: make PYTHON=/path/to/python3.11"; \
		exit 1; }
	@echo "Making $(VENV) with $(PYTHON)."
	@"$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip

$(VENV)/.core: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Treadle into $(VENV). torch is large: this takes a few minutes the first time."
	@$(INSTALL) -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing Treadle and its tests' tools into $(VENV). torch is large: this takes a few minutes the first time."
	@$(INSTALL) -e ".[vision,dev]"
	@touch $@ $(VENV)/.core

$(VENV)/.bench: $(VENV)/.dev
	@$(INSTALL) -e ".[vision,dev,bench]"
	@touch $@

$(PEERS)/.installed: benchmarks/speed/peers.txt | $(BIN)/python
	@echo "Installing what the benchmarks compare with into $(PEERS)."
	@$(BIN)/python -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -r benchmarks/speed/peers.txt
	@touch $@
