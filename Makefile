# make repro   set up, run the whole pipeline of params.yaml, write reports/; with PRESET=quick it
#              applies presets/quick.yaml to params.yaml first
# make test    set up, run the tests
# make ui      browse the MLflow experiment in a web browser; PORT=5001 if another program uses port 5000
# make bench   measure speed against common alternatives, write docs/performance.json and its picture
# make lint    ruff and pyright
# make docs    build the documentation as a web site, in site/ (Sphinx; warnings are errors)
# Everything is installed in .venv, once.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   := 5000
PRESET :=
JOBS   ?= $(shell nproc 2>/dev/null || echo 1)
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true

.PHONY: repro test bench lint docs ui setup setup-dev clean
.DEFAULT_GOAL := repro

repro: setup
ifneq ($(PRESET),)
	@echo "== params.yaml: preset $(PRESET)"
	python -m stages.tools.params preset $(PRESET)
endif
	@echo "== pipeline: download, partition, train, evaluate, report ($(JOBS) trainings at a time)"
	python -m stages.tools.repro --jobs $(JOBS)
	@echo "== open reports/index.html, or read reports/report.md; 'make ui' shows every run"

test: setup-dev
	@echo "== tests"
	python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

bench: setup
	@echo "== benchmarks on one thread: about a quarter of an hour"
	python -m benchmarks

lint: setup-dev
	ruff check . && ruff format --check . && pyright

docs: setup-dev
	python -m sphinx -W --keep-going -q -E -b html docs site

ui: setup
	@python -m stages.tools.ui --port $(PORT)

setup: $(BIN)/.installed
setup-dev: $(BIN)/.installed-dev

$(BIN)/.installed: requirements.txt requirements.lock
	@echo "== setting up $(VENV) (downloads PyTorch the first time: some minutes, several GB)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -c requirements.lock
	@touch $@

$(BIN)/.installed-dev: requirements-dev.txt $(BIN)/.installed
	@echo "== installing what the tests need"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c requirements.lock
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
