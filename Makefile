# make serve     set up what running needs, start everything, say where to look
# make test      set up what tests need, and run them (DEBUG=1: against a bounds-checked build;
#                ARGS=... for pytest)
# make lint      ruff, mypy --strict, the layer test; Cython and C warnings are errors
# make fuzz      new mutated inputs for every parser (DEBUG=1, ASAN=1: watched; CONTRIBUTING.md)
# make stress    the long races and kills, and new examples for the property tests
# make bench     the benchmarks into bench/RESULTS.md
# make bench-check   are the ratios still those of bench/ratios.json
# make release-check   sdist and wheel into build/dist, each tried where nothing else is
# make site      the documentation as a site, in build/site
# make first-price   from `git clone` to the first price, and what is downloaded; into README.md
# make bench-peers   other servers beside ours into bench/PEERS.md
# make bench-equal-latency   the same at every pace and timer, into docs/equal-latency.md
#
# Needs Python 3.11 or newer with its headers, a C compiler and make. Everything else goes into
# .venv and build, both in the tree.

.DELETE_ON_ERROR:
.PHONY: setup serve test fuzz lint format bench bench-check bench-peers bench-equal-latency stress \
  release-check site first-price clean

PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11, \
  $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := .venv/bin
# Compilers at once; setup.py reads it.
export JOBS ?= $(shell nproc 2>/dev/null || echo 2)
ARGS ?=

# The tree itself must not come before the build under test: not by -m, not in a subprocess.
export PYTHONSAFEPATH := 1

DEBUG_LIB := build/debug/lib
ASAN_LIB := build/asan/lib

setup: .venv/installed build/release-built .venv/test-packages
	@:

.venv/installed: .venv/packages build/serve-built
	@TICKER_ONLY=none $(BIN)/python -m pip install --quiet --no-build-isolation --no-deps --editable .
	@touch $@

# What running needs, and the compiler of the kernels: Cython. Before anything is downloaded,
# .ci/needs.sh says all that is missing on this machine.
.venv/packages: pyproject.toml constraints.txt .ci/needs.sh
	@PYTHON="$(PYTHON)" CC="$(if $(filter default,$(origin CC)),,$(CC))" sh .ci/needs.sh
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "installing packages into .venv"
	@$(BIN)/python .ci/packages.py build
	@touch $@

# What tests, lint and benchmarks need beside it.
.venv/test-packages: .venv/packages
	@echo "installing the packages of tests into .venv"
	@$(BIN)/python .ci/packages.py dev
	@touch $@

# Changes when a source's content does, or when one came, went or was moved (.ci/sources.py).
build/sources: .venv/packages FORCE
	@$(BIN)/python .ci/sources.py $@

.PHONY: FORCE
FORCE:

# Without the kernels of `ticker bench`, which serving does not need.
build/serve-built: setup.py build/sources
	@echo "compiling (a minute or more the first time)"
	@mkdir -p build
	@TICKER_WITHOUT=ticker/bench/ $(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

build/release-built: build/serve-built
	@echo "compiling the benchmarks"
	@TICKER_ONLY=ticker/bench/ $(BIN)/python setup.py --quiet build_ext --inplace
	@touch $@

# A complete copy of the package with bounds checks and assertions, beside the tree's own.
build/debug-built: setup.py build/sources
	@echo "compiling with bounds checks"
	@mkdir -p build
	@TICKER_DEBUG=1 $(BIN)/python setup.py --quiet build_ext \
	  --build-lib $(DEBUG_LIB) --build-temp build/debug/temp
	@touch $@

.PHONY: debug-copy
debug-copy: build/debug-built setup
	@find $(DEBUG_LIB) -type f ! -name '*.so' -delete
	@$(BIN)/python setup.py --quiet build_py --build-lib $(DEBUG_LIB)

# The same with AddressSanitizer: the code that is shipped, with every access watched.
build/asan-built: setup.py build/sources
	@echo "compiling with AddressSanitizer"
	@mkdir -p build
	@TICKER_ASAN=1 $(BIN)/python setup.py --quiet build_ext \
	  --build-lib $(ASAN_LIB) --build-temp build/asan/temp
	@touch $@

.PHONY: asan-copy
asan-copy: build/asan-built setup
	@find $(ASAN_LIB) -type f ! -name '*.so' -delete
	@$(BIN)/python setup.py --quiet build_py --build-lib $(ASAN_LIB)

serve: .venv/installed
	@echo "its commands: $(BIN)/ticker --help (or '. $(BIN)/activate' for this shell, then ticker)"
	@$(BIN)/ticker serve $(ARGS)

ifeq ($(DEBUG),1)
test: debug-copy
	TICKER_DEBUG=1 PYTHONPATH=$(CURDIR)/$(DEBUG_LIB) $(BIN)/python -m pytest -m "not stress" $(ARGS)
else
test: setup
	$(BIN)/python -m pytest -m "not stress" $(ARGS)
endif

# Runs of mutated inputs: ARGS="--count 1000000 --target itch50", or --list, or --atheris all.
ifeq ($(ASAN),1)
fuzz: asan-copy
	LD_PRELOAD=$$($(or $(CC),cc) -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 \
	  PYTHONMALLOC=malloc PYTHONPATH=$(CURDIR)/$(ASAN_LIB):$(CURDIR) $(BIN)/python -m tests.fuzz --slack 20 $(ARGS)
else ifeq ($(DEBUG),1)
fuzz: debug-copy
	TICKER_DEBUG=1 PYTHONPATH=$(CURDIR)/$(DEBUG_LIB):$(CURDIR) $(BIN)/python -m tests.fuzz $(ARGS)
else
fuzz: setup
	PYTHONPATH=$(CURDIR) $(BIN)/python -m tests.fuzz $(ARGS)
endif

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py tests/test_layer_rules.py

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The measured set, under 10 minutes, into bench/RESULTS.md, bench/plots, bench/ratios.json and
# docs/performance.md; ARGS="fanout ingest" runs only those, ARGS=--pages only writes.
bench: setup
	PYTHONPATH=$(CURDIR) $(BIN)/python -m bench $(ARGS)

# The ratios anew, in some minutes, against bench/ratios.json: fails beyond 15 %.
bench-check: setup
	PYTHONPATH=$(CURDIR) $(BIN)/python -m bench.check $(ARGS)

# Other servers beside ours into bench/PEERS.md; what is missing of them goes into build/peers
# (Python packages, npm, Go), and who cannot run here is left out with its reason.
# ARGS="nats ws" measures only those, ARGS=--no-search leaves the search for capacity out.
bench-peers: setup
	PYTHONPATH=$(CURDIR) $(BIN)/python -m bench.peers.install
	PYTHONPATH=$(CURDIR) $(BIN)/python -m bench.peers $(ARGS)

# CPU per delivery over latency, ours at every pace beside those peers that can publish by a timer,
# in some ten minutes: docs/equal-latency.md. ARGS="ours uwebsockets" measures only those again,
# ARGS=--page makes the page of the report that is there, ARGS=--realtime goes before all other
# programs.
bench-equal-latency: setup
	PYTHONPATH=$(CURDIR) $(BIN)/python -m bench.peers.install
	PYTHONPATH=$(CURDIR) $(BIN)/python -m bench.peers.equal_latency $(ARGS)

# SEED=N repeats the examples of a run that printed it.
SEED ?= $(shell date +%s)
stress: setup
	@echo "seed of the examples: $(SEED)"
	$(BIN)/python -m pytest -m "stress or hypothesis" --timeout 3600 --hypothesis-profile explore \
	  --hypothesis-seed $(SEED) $(ARGS)

# The packages as they would be published, and each of them tried in a folder of its own.
release-check: .venv/packages
	@$(BIN)/python .ci/packages.py release
	$(BIN)/python .ci/release.py $(ARGS)

# Fails for a link that leads nowhere. (The variable silences an announcement of the theme.)
site: setup
	@mkdir -p build/site-source
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build $(ARGS)

# ARGS=--write puts the table into README.md. It compiles everything: minutes of all cores.
first-price: setup
	PYTHONPATH=$(CURDIR) $(BIN)/python -m bench.first_price $(ARGS)

clean:
	rm -rf build .venv
	find ticker -name '*.so' -delete
