# xbar: `make demo` and `make test` work on a machine with Python >= 3.11, make and apt or brew, with no step before them.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# XLA calls OpenBLAS, whose threads fight with its own.
export OPENBLAS_NUM_THREADS := 1

.PHONY: setup demo test experiments papers reproduce-smoke slow fuzz check docs bench lock clean help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: $(STAMP) ## make .venv with the locked packages and xbar; install libngspice when it is missing
	@sh scripts/install_ngspice.sh

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 …"; exit 1; }
	@if [ ! -x $(BIN)/python ]; then \
	  $(PYTHON) -m venv $(VENV) 2>/dev/null || { rm -rf $(VENV); sh scripts/make_venv.sh $(PYTHON) $(VENV); }; \
	fi
	@echo "installing the locked packages into $(VENV) (a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup ## characterise, train with NEAT, map, evaluate, cost: the whole pipeline on the bundled data
	@$(BIN)/xbar demo

test: setup ## run the tests
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow" --durations 12

experiments: setup ## run every sweep of experiments/ on two workers
	@for file in experiments/*.toml; do $(BIN)/xbar run $$file --workers 2 || exit 1; done

papers: setup ## run the papers' sweeps (hours; mnist, fashion_mnist and cifar10 must be imported) into runs/papers, write docs/training.md
	@for file in $$(grep -L '^\[reproduce\]' experiments/*/*.toml); do \
	  $(BIN)/xbar run $$file --workers 2 --out runs/papers/$$(basename $$(dirname $$file)) || exit 1; done
	@$(BIN)/python scripts/make_training_docs.py runs/papers

reproduce-smoke: setup ## run every item of the four papers at its smallest size, on bundled data, into runs/reproduce-smoke (minutes)
	@$(BIN)/xbar reproduce all --preset smoke --workers 2

fuzz: setup ## bad inputs by the thousand, each under a deadline, and what became of them (half an hour)
	@$(BIN)/python -m tests.fuzz --count 20000

slow: setup ## run the tests that take longest: large arrays against scipy, gradients through them
	@$(BIN)/python -m pytest -n 2 -m slow

check: setup ## lint, types, import contracts, structure, spelling, generated docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python scripts/structure.py --summary
	@$(BIN)/codespell README.md CHANGELOG.md docs src tests benchmarks experiments scripts spice_netlists
	@$(BIN)/python scripts/make_cli_docs.py --check
	@$(BIN)/python scripts/make_reference.py --check
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

docs: setup ## build the pages into site/ (site/index.html opens them); a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: setup ## measure speed as ratios to baselines of the same run; an error where a target is missed
	@missed=0; for file in benchmarks/[a-z]*.py; do echo "== $$file"; $(BIN)/python $$file || missed=1; done; exit $$missed

lock: ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --extra dev pyproject.toml -o requirements.lock

clean: ## remove what the targets made, but not runs/
	rm -rf $(VENV) dist build .pytest_cache .ruff_cache .hypothesis
