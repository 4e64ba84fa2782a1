# Two commands: `make demo` shows the main job, `make test` runs every check. Neither needs the other first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-header pyproject.toml

.PHONY: demo test nightly bench docs format lock clean system-packages

demo: $(VENV)/.ready
	$(BIN)/headrace demo

test: $(VENV)/.ready-dev system-packages
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest --numprocesses auto --dist worksteal

# 100,000 steps of the controller beside its oracle, and 50,000 requests to the API, other ones each time: about half
# an hour.
nightly: $(VENV)/.ready-dev
	HEADRACE_MODEL_STEPS=100000 HEADRACE_MODEL_SEED=$$(date +%s) $(BIN)/pytest tests/release/test_model.py
	HEADRACE_FUZZ_CASES=50000 $(BIN)/pytest tests/api/http/test_fuzz.py

# The stamps are written last: an install that was broken off is done again.
$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Headrace needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 2; }
	$(PYTHON) -m venv --clear $(VENV)
	$(INSTALL) --require-hashes -r requirements.lock
	$(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

$(VENV)/.ready-dev: requirements-dev.lock $(VENV)/.ready
	$(INSTALL) --require-hashes -r requirements-dev.lock
	touch $@

# What the tests need beside Python: on each line a Debian package, and a command of its where that has another name.
# Debian keeps PostgreSQL's server off the PATH.
system-packages:
	@missing=; PATH="$$PATH:$$(echo /usr/lib/postgresql/*/bin | tr ' ' :)"; \
	while read -r name command; do \
		command -v "$${command:-$$name}" >/dev/null || missing="$$missing $$name"; \
	done < debian-packages.txt; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update --quiet=2 && \
		DEBIAN_FRONTEND=noninteractive apt-get install --quiet=2 --no-install-recommends $$missing; \
	else \
		echo "the tests need$$missing: install with your system's packages, as root with apt-get install$$missing" >&2; \
		exit 2; \
	fi

# Beside its peers; what is not Python (nginx with brotli_static, wrk) comes from the system.
bench: $(VENV)/.ready-dev
	$(INSTALL) --require-hashes -r requirements-bench.lock
	$(BIN)/python -m benchmarks.serving

# The help of every verb, and what is told of the API: run it after a change to a verb's options or docstring, or to
# an operation.
docs: $(VENV)/.ready
	$(BIN)/python -m headrace.help_pages docs/cli
	$(BIN)/python -m headrace.api_pages docs
	$(BIN)/python -m headrace.promised docs

format: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Needs uv; run it after a change to the dependencies of pyproject.toml.
lock:
	$(COMPILE) --upgrade --extra demo -o requirements.lock
	$(COMPILE) --upgrade --extra demo --extra dev --extra sigstore --extra source-maps --extra aws-lambda --constraint requirements.lock -o requirements-dev.lock
	$(COMPILE) --upgrade --extra bench --constraint requirements-dev.lock -o requirements-bench.lock

clean:
	rm -rf $(VENV) .headrace .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
