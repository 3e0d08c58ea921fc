# `make demo` and `make test` do all set-up themselves and can be repeated. TORCH= overrides the pinned build.
PYTHON ?= python3
TORCH ?= torch==2.13.0
FUZZ_SECONDS ?= 600
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml setup.py $(wildcard */c/*.c) $(wildcard */c/*.h) $(wildcard */*.pyx) $(wildcard */*.pxd) \
  $(wildcard */*.pxi) $(wildcard cyclient/include/*) $(wildcard cyclient/*/*.in) cyclient/libssasync.map

.PHONY: demo test tools check check-c check-malloc fuzz bench soak soak-client build links clean

demo: build
	$(BIN)/python -m examples.demo

test: tools build check
	$(BIN)/python -m tests.run_tests

tools:
	@$(PYTHON) tests/requirements_check.py tests

check: build
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy -p ssasync
	$(BIN)/mypy examples tests/import_table.py tests/run_tests.py
	$(BIN)/python -m mypy.stubtest --mypy-config-file pyproject.toml \
	  --allowlist tests/stubtest_allowed.txt --ignore-unused-allowlist ssasync.cyclient._core ssasync.store._worker_front

# The C tests under sanitizers and valgrind; the Python tests of the client under a malloc that checks.
check-c: tools build
	$(BIN)/python -m tests.cyclient.check_c

check-malloc: build
	$(BIN)/python -m tests.cyclient.check_malloc

# So many seconds for each target; what is found lies in out/fuzz.
fuzz: build
	@$(PYTHON) tests/requirements_check.py fuzz
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

bench: build $(VENV)/.bench
	$(BIN)/python -m tests.bench

soak: build
	$(BIN)/python -m tests.soak.actors --seconds 600 --loop asyncio
	$(BIN)/python -m tests.soak.actors --seconds 600 --loop uvloop

# What `make test` does some hundred times: operations cut short at any moment (on two loops, with and without a throttle, in
# the clear and over TLS, in pieces, on a cluster, and with a worker), and late puts that race with newer ones (for each face).
CANCELLATIONS ?= 1000000
RACES ?= 1000

soak-client: build
	SSA_CANCELLATIONS=$$(( ($(CANCELLATIONS) + 13) / 14 )) SSA_RACES=$(RACES) $(BIN)/python -m pytest -s -q --timeout 0 \
	  tests/cyclient/test_cancellation.py tests/cyclient/test_lost_shard.py::test_a_late_put_never_overwrites_a_newer_one

build: links $(VENV)/.installed

links:
	@for name in actors wlm store cyclient; do \
	  test -L ssasync/$$name || { echo "ssasync/$$name is not a symbolic link: this checkout lost its links" \
	    "(core.symlinks=false, or an archive without them). Run: ln -sfn ../$$name ssasync/$$name" >&2; exit 1; }; \
	done

$(VENV)/.installed: $(VENV)/.torch $(SOURCES)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[torch,demo,test]'
	@touch $@

# The libraries that the actor kernel is measured against: only the benchmarks need them.
$(VENV)/.bench: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[torch,demo,test,bench]'
	@touch $@

$(VENV)/.torch:
	@$(PYTHON) tests/requirements_check.py
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check '$(TORCH)'
	@touch $@

clean:
	rm -rf $(VENV) build dist out *.egg-info
	rm -rf cyclient/lib
	rm -f wlm/_launcher cyclient/*.so store/*.so
