# make repro   set up, run the whole pipeline of params.yaml, write reports/; with PRESET=quick it
#              applies presets/quick.yaml to params.yaml first; JOBS=2 runs two trainings at a time,
#              instead of one per GPU or, without a GPU, one per core; PULL=1 restores trainings that
#              other machines have pushed: docs/scaling.md
# make test    set up, run the tests
# make experiments  compare the experiments of DVC: changed parameters and mAP of each method
# make sweep   search for good parameters on the sources: those of SWEEP=examples/sweep.yaml
# make ui      browse the MLflow experiment in a web browser; PORT=5001 if another program uses port 5000
# make register  register the final model in MLflow, with the alias champion and its model card;
#              METHOD=bin_joint registers another method's
# make bench   measure speed against common alternatives, write docs/performance.json and its picture
# make gpu     on a machine with a CUDA GPU: tests, checks and measurements in at most 9 minutes,
#              written to docs/gpu.json and docs/gpu.md; runs with the installed Python if that has
#              torch with CUDA and the packages needed, else in .venv
# make notebooks  run the notebooks and keep their outputs; after make repro
# make screenshots  take those of README and docs from the last run, with Chromium
# make coverage  run the tests and report the lines and branches that none of them runs
# make mutants change the method's code in small ways, and list the changes that no test notices; about an
#              hour on two cores; GROUP=ranking runs one group of files
# make lint    ruff and pyright
# make docs    build the documentation as a web site, in site/ (Sphinx; warnings are errors)
# make lock    write requirements.lock and requirements-dev.lock again, from requirements.txt and
#              requirements-dev.txt; pins that still fit stay
# Everything is installed in .venv, once, from the lock files: pip checks the hash of every file.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PORT   := 5000
PRESET :=
METHOD := metabin
JOBS   ?=
SWEEP  := examples/sweep.yaml
PULL   :=
GROUP  :=
TESTS  :=
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true

# --universal: one lock file for every supported Python and platform. 3.11.2: that of Debian 12.
COMPILE := uv pip compile --quiet --universal --python-version 3.11.2 --generate-hashes \
           --no-annotate --custom-compile-command "make lock"
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: repro test coverage mutants bench gpu notebooks screenshots lint docs ui experiments sweep register lock \
        setup setup-dev clean
.DEFAULT_GOAL := repro

repro: setup
ifneq ($(PRESET),)
	@echo "== params.yaml: preset $(PRESET)"
	python -m stages.tools.params preset $(PRESET)
endif
	@echo "== pipeline: download, partition, train, evaluate, report"
	python -m stages.tools.repro $(if $(JOBS),--jobs $(JOBS)) $(if $(PULL),--pull)
	@echo "== open reports/index.html, or read reports/report.md; 'make ui' shows every run"

test: setup-dev
	@echo "== tests"
	python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

coverage: setup-dev
	python -m coverage erase
	python -m coverage run -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(TESTS)
	find . -maxdepth 1 -name '.coverage.*' -size -4k -delete # cut off in tests of a full disk: no SQLite file
	python -m coverage combine --quiet
	python -m coverage report

mutants: setup-dev
	python tests/mutants.py $(GROUP)

bench: setup
	@echo "== benchmarks on one thread: about a quarter of an hour"
	python -m benchmarks

gpu:
	@echo "== tests, checks and measurements on a GPU: at most 9 minutes"
	@if $(PYTHON) -m benchmarks.gpu.packages; then $(PYTHON) -m benchmarks.gpu; \
	else $(MAKE) --no-print-directory setup-dev && $(BIN)/python -m benchmarks.gpu; fi

lint: setup-dev
	ruff check . && ruff format --check . && pyright

docs: setup-dev
	python -m sphinx -W --keep-going -q -E -b html docs site

notebooks: setup-dev
	python notebooks

screenshots: setup-dev
	python tests/take_screenshots.py

experiments: setup
	@python -m stages.tools.experiments

sweep: setup
	python -m stages.tools.sweep $(SWEEP) $(if $(JOBS),--jobs $(JOBS))

ui: setup
	@python -m stages.tools.ui --port $(PORT)

register: setup
	@python -m stages.tools.register --method $(METHOD)

lock: setup-dev
	$(COMPILE) requirements.txt --output-file requirements.lock
	$(COMPILE) requirements-dev.txt --constraint requirements.lock --output-file requirements-dev.lock

setup: $(BIN)/.installed
setup-dev: $(BIN)/.installed-dev

$(BIN)/.installed: requirements.lock
	@echo "== setting up $(VENV) (downloads PyTorch the first time: some minutes, several GB)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) --require-hashes -r requirements.lock
	@touch $@

$(BIN)/.installed-dev: requirements-dev.lock $(BIN)/.installed
	@echo "== installing what the tests need"
	$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache
