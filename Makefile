# make demo: separate the example and print what came out.    make test: run the tests.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint nightly docs bench parity

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]'
	touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/otowake separate examples/two-talkers.flac -o demo
	$(BIN)/otowake evaluate examples/two-talkers-ref1.flac examples/two-talkers-ref2.flac --estimate demo/*-source*.flac --mixture examples/two-talkers.flac

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto -q

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

nightly: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto -q -m 'slow or not slow'

docs: $(VENV)/.installed-test
	$(BIN)/python docs/include.py
	$(BIN)/python docs/gallery/gallery.py

$(VENV)/.installed-bench: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[bench]'
	touch $@ $(VENV)/.installed

bench: $(VENV)/.installed-bench
	$(BIN)/python benchmarks/speed.py --threads 1 --command --json benchmarks/speed.json --markdown benchmarks/speed.md
	$(BIN)/python benchmarks/nmf.py --json benchmarks/nmf.json --markdown benchmarks/nmf.md
	$(BIN)/python benchmarks/nmf.py --threads 2 --json benchmarks/nmf2.json --markdown benchmarks/nmf2.md
	$(BIN)/python benchmarks/online.py --minutes 5.5 --markdown benchmarks/online.md
	$(BIN)/python benchmarks/memory.py --peers --markdown benchmarks/memory.md

parity: $(VENV)/.installed-bench
	$(BIN)/python benchmarks/make_parity.py
