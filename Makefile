# make demo: separate the example and print what came out.    make test: run the tests.
# make bench: speed and memory beside other packages, which live in an environment of their own (15 to 20 minutes).
# make wheel: a package with the kernels that the usual separation needs, compiled.
# make test-gpu, make gpu: tests and times on a CUDA device.
# make bench-compare: what changed since the figures that git has.    make roofline: kernels beside the machine's limits.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
INSTALL := -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
PIP    := $(BIN)/python $(INSTALL)
PEERS  ?= .venv-bench
BENCH  := $(PEERS)/bin/python
AHEAD  := $(BIN)/python -m otowake.ops.cpu.ahead

.PHONY: demo wheel test test-gpu lint nightly docs bench bench-compare bench-online roofline gpu parity

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	$(AHEAD)
	touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable '.[test]'
	touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/otowake separate examples/two-talkers.flac -o demo
	$(BIN)/otowake evaluate examples/two-talkers-ref1.flac examples/two-talkers-ref2.flac --estimate demo/*-source*.flac --mixture examples/two-talkers.flac

wheel: $(VENV)/.installed
	rm -rf build dist src/otowake/ops/cpu/kernels
	$(AHEAD) --classes
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n auto -q

test-gpu: $(VENV)/.installed-test
	$(BIN)/python -m pytest -q -m gpu

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

$(PEERS)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(PEERS)
	$(BENCH) $(INSTALL) --editable '.[bench]'
	touch $@

bench: $(PEERS)/.installed
	$(BENCH) benchmarks/bench.py

bench-compare: $(PEERS)/.installed
	$(BENCH) benchmarks/compare.py

bench-online: $(PEERS)/.installed
	$(BENCH) benchmarks/online.py --minutes 5.5 --markdown benchmarks/online.md

roofline: $(PEERS)/.installed
	$(BENCH) benchmarks/bench.py roofline

gpu: $(VENV)/.installed
	$(BIN)/python benchmarks/gpu.py

parity: $(PEERS)/.installed
	$(BENCH) benchmarks/make_parity.py
