# make demo   from an empty machine to annotated pictures, curves and chip files (about 5 minutes after the install)
# make test   the fast tests, two at a time, then those that measure time; what needs more than Python and make is skipped
#             with one line each
# make long   the slow tests: training, kill and resume, distributed runs; these too in two calls (tests/in_two_calls.py)
# make loihi  .venv-loihi: lava-dl in a Python 3.11 of its own, which detc train uses for Loihi 2; loihi-test runs
#             detrt's fast tests in it, but for those of C
# make fuzz   20,000 mutated specs

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/ready
TORCH  := torch==2.13.0
EXTRAS ?= train,dev

.PHONY: setup demo test long loihi loihi-test fuzz lint bench clean

setup: $(READY)

# The CPU build of torch comes first, so that nothing later pulls the CUDA packages in.
$(READY): pyproject.toml constraints.txt hatch_build.py compiler/detc/syntax/det.lark
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "detc needs Python 3.11 or newer; try: make PYTHON=python3.12")'
	$(PYTHON) -m venv "$(VENV)"
	@"$(BIN)/pip" install -q --disable-pip-version-check -c constraints.txt "$(TORCH)+cpu" 2>/dev/null \
	  || "$(BIN)/pip" install -q --disable-pip-version-check --index-url https://download.pytorch.org/whl/cpu "$(TORCH)" \
	  || { [ "$$(uname)" != Linux ] && "$(BIN)/pip" install -q --disable-pip-version-check "$(TORCH)"; } \
	  || { echo 'no CPU build of $(TORCH) found: see "CPU torch" in README.md'; exit 1; }
	"$(BIN)/pip" install -q --disable-pip-version-check -c constraints.txt -e '.[$(EXTRAS)]'
	@touch "$(READY)"

demo: $(READY)
	"$(BIN)/python" examples/demo/demo.py

test: $(READY)
	"$(BIN)/python" tests/in_two_calls.py -m "not long" $(ARGS)

long: $(READY)
	"$(BIN)/python" tests/in_two_calls.py -m long $(ARGS)

loihi: $(READY)
	"$(BIN)/detc" env loihi2 --into .venv-loihi

loihi-test: loihi
	.venv-loihi/bin/python -m pytest -m "not long" tests/detrt --ignore-glob='*/test_stm32_*' $(ARGS)

fuzz: $(READY)
	DETC_FUZZ=20000 "$(BIN)/python" -m pytest -m "" tests/detc/fuzz $(ARGS)

lint: $(READY)
	"$(BIN)/ruff" check compiler runtime tests benchmarks examples
	"$(BIN)/ruff" format --check compiler runtime tests benchmarks examples
	"$(BIN)/mypy"

bench: $(READY)
	"$(BIN)/python" benchmarks/run.py

clean:
	rm -rf "$(VENV)" build dist
