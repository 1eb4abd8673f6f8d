# Every target but help creates .venv by itself; `make help` lists targets and variables.
VARIANT ?= SR-EDRB3
DATA ?=
ARGS ?=
VENV ?= .venv
PYTHON := $(VENV)/bin/python
DEMO_DATA := data/demo
EXTRAS := test,export,heif,web

# Without DATA: the demo data and its short schedule.
ifeq ($(DATA),)
DATA_READY := demo-data
DATA_FLAGS := --data_dir=$(DEMO_DATA) --preset=demo
else
DATA_READY := $(VENV)/.base
DATA_FLAGS := --data_dir="$(DATA)"
endif
ifneq ($(RUN),)
RUN_FLAGS := --run_dir="$(RUN)"
endif

# The network, with the authors' recordings of it and of its training, one step, what is exported,
# the bytes of the demo, checkpoints of the other line, silence.
LINE_TESTS := tests/network tests/training/test_step.py tests/exporting tests/data_tools/test_demo.py \
	tests/weights/test_lines.py tests/weights/test_run_folder.py tests/test_quiet.py

.DEFAULT_GOAL := help
.PHONY: help install train ablation starter demo-data benchmark \
	test test-line test-oldest test-robust fuzz test-docs test-gpu test-web package clean

help: ## list targets and variables
	@echo "Targets (each works on a fresh clone):"
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-20s %s\n", $$1, $$2}'
	@echo "Variables:"
	@echo "  VARIANT=SR-EDRB3     SS SC wo-R RNN SR-Flat SR-RB SR-ED SR-EDRB1 SR-EDRB2 SR-EDRB3 SRN lstm gray color SR-EDRB3-GRU SR-EDRB3-Deconv SR-EDRB3-SubPixel"
	@echo "  DATA=/path/GOPRO_Large   train or score on it with the paper's schedule (default: demo data)"
	@echo "  PY=python3.13        Python for .venv, 3.9 to 3.13 (default: the first found, from 3.11 on)"
	@echo "  RUN=runs/NAME        run folder (default: runs/VARIANT)"
	@echo '  ARGS="--flag=..."    more flags for the command; --help after `$(PYTHON) -m srn_tf.train` lists them'

train: $(DATA_READY) ## train VARIANT, on the demo data or on DATA
	$(PYTHON) -m srn_tf.train --variant="$(VARIANT)" $(DATA_FLAGS) $(RUN_FLAGS) $(ARGS)

ablation: $(DATA_READY) ## train and score all ten variants: Table 1 in results/ablation
	$(PYTHON) -m experiments.ablation $(DATA_FLAGS) $(ARGS)

starter: $(VENV)/.base ## make the starter weights anew from PHOTOGRAPHS=DIR,DIR (days)
	$(PYTHON) -m experiments.starter --photographs="$(PHOTOGRAPHS)" $(ARGS)

demo-data: $(VENV)/.base ## render the demo data from photographs that scikit-image ships
	$(PYTHON) -m data_tools.demo --output=$(DEMO_DATA)

benchmark: $(VENV)/.base ## measure the speed of the training data's sources
	$(PYTHON) -m experiments.data_speed $(ARGS)

test: $(VENV)/.test ## lint and run the tests (5 to 10 minutes on 2 cores)
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m pytest -m "not (robust or fuzz or docs or web or gpu)" -n auto --maxprocesses=4 --dist=loadfile $(ARGS)

test-line: $(VENV)/.test ## the tests that another line of TensorFlow might break (minutes)
	$(PYTHON) -m pytest -m "not (robust or fuzz or docs or web or gpu)" -n auto --maxprocesses=4 \
		--dist=loadfile $(LINE_TESTS) $(ARGS)

test-oldest: ## the media tests with the lowest versions that setup.cfg allows (minutes)
	$(MAKE) VENV=.venv-oldest PYTHONS="$(or $(PY),python3.9 python3.10 python3.11)" .venv-oldest/.oldest
	.venv-oldest/bin/python -m pytest -m "not (robust or fuzz or docs or web or gpu)" -n auto --maxprocesses=4 \
		--dist=loadfile tests/common tests/media tests/inference $(ARGS)

test-robust: $(VENV)/.test ## kill every command, fill its disk, run it twice at once (an hour)
	$(PYTHON) -m pytest -m robust $(ARGS)

test-docs: $(VENV)/.test ## run the commands, programs and notebooks of the documents (minutes)
	$(PYTHON) -m pytest -m docs $(ARGS)

test-web: $(VENV)/.test ## drop photographs on the page in a real browser (needs Chromium)
	$(PYTHON) -m pytest -m web tests/serving $(ARGS)

fuzz: $(VENV)/.test ## read thousands of damaged files: nothing but a refusal may come out (minutes)
	$(PYTHON) -m pytest -m fuzz -rP $(ARGS)

test-gpu: $(VENV)/.test ## for owners of a GPU: parity, mixed precision, placement, speed
	SRN_TEST_GPU=1 $(PYTHON) -m pytest -m gpu -s tests/gpu $(ARGS)

package: $(VENV)/.base ## build dist/*.whl and *.tar.gz and check them for PyPI
	$(PYTHON) -m pip install --quiet build twine
	rm -rf dist && $(PYTHON) -m build
	$(PYTHON) -m twine check --strict dist/*

install: $(VENV)/.base ## only create .venv

clean: ## remove .venv and caches; data, runs and results stay
	rm -rf .venv .venv-* build dist .pytest_cache .ruff_cache *.egg-info

# The interpreter is looked for only when the environment has to be made: by name, and where pyenv
# keeps them, whose shims fail for versions that are not chosen.
PYTHONS := $(or $(PY),python3.11 python3.12 python3.13 python3.10 python3.9 python3)
SUITS := import sys, venv, ensurepip; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 13))
ifneq ($(PY),)
ifneq ($(PY),$(shell cat $(VENV)/.python 2>/dev/null))
.PHONY: $(VENV)/.python
endif
endif

$(VENV)/.python:
	@set -e; \
	for name in $(PYTHONS); do \
	  for python in $$name "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/*/bin/$$name; do \
	    if $$python -c '$(SUITS)' 2>/dev/null; then \
	      echo "creating $(VENV) with $$($$python --version)"; \
	      $$python -m venv --clear $(VENV); echo "$(PY)" > $@; exit 0; \
	    fi; \
	  done; \
	done; \
	if command -v uv >/dev/null; then \
	  echo "creating $(VENV) with uv"; rm -rf $(VENV); \
	  uv venv --seed --python $(or $(PY),3.11) $(VENV); echo "$(PY)" > $@; exit 0; \
	fi; \
	echo "error: $(or $(PY),Python 3.9 to 3.13) with venv is not found: install" \
	  "$(or $(PY),python3.11) and $(or $(PY),python3.11)-venv, or uv" >&2; exit 1

$(VENV)/.base: $(VENV)/.python setup.cfg
	$(PYTHON) -m pip install --quiet --upgrade "pip<27" "setuptools<81" wheel
	$(PYTHON) -m pip install --quiet -e ".$$(nvidia-smi >/dev/null 2>&1 && echo '[cuda]')"
	@touch $@

# All extras together: each may change the versions that the others get.
$(VENV)/.test: $(VENV)/.base
	$(PYTHON) -m pip install --quiet -e ".[$(EXTRAS)]"
	$(PYTHON) -m pip check
	@touch $@

$(VENV)/.oldest: $(VENV)/.python setup.cfg
	$(PYTHON) -m pip install --quiet --upgrade "pip<27" uv
	$(PYTHON) -m uv pip install --quiet --python $(PYTHON) --resolution lowest-direct -e ".[$(EXTRAS)]"
	$(PYTHON) -m uv pip check --python $(PYTHON)
	@touch $@
