# Two commands: `make demo` shows Rootstock at work, `make test` tests it. Both install what they need.
SHELL := bash
PYTHON ?= $(or $(shell command -v python3.11),python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
INSTALLED := .venv/.installed
export PYTHONPATH := platform:.
unexport PYTHONDONTWRITEBYTECODE # each of many processes would compile everything for itself

help: ## what there is to run
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/^([a-z]+):.*## (.*)/make \1|\2/' | column -t -s'|'

install: $(INSTALLED) ## .venv with everything of requirements.lock

demo: install ## start everything, play a bank, a hospital and a support desk, print what came out
	@$(BIN)/python manage.py demo

up: install ## start everything and keep serving until Ctrl-C
	@$(BIN)/python manage.py up

test: install browser ## the whole suite
	$(BIN)/pytest

check: install ## the fast part of the suite
	$(BIN)/pytest -n 2 --few 3 -m "not slow and not browser" # little waits here, and each process imports everything

lint: install ## style, types, layers, templates, migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy platform/rootstock apps models_zoo workers
	$(BIN)/lint-imports --no-logo
	$(BIN)/djlint --quiet --lint platform apps
	$(BIN)/python -m rootstock.embedded manage.py makemigrations --check --dry-run

bench: install ## the measurements that README shows
	@for bench in engine_cpu training pacing damage adapter_codes fraud_quality fraud_state fraud_rules fraud_cycles fraud_latency start lanes_and_jobs; do $(BIN)/python tests/bench/$$bench.py || exit; done

pictures: browser ## the pictures of README, from a running `make up` that `make demo` has filled
	$(BIN)/python tests/browser/pictures.py

browser: install # a Chromium for the browser tests, or a plain word that they will be skipped
	@$(BIN)/python tests/chromium.py

lock: ## resolve pyproject.toml into requirements.lock (needs uv)
	uv pip compile pyproject.toml --group test --group lint --python-version 3.11 --python-platform linux \
	  --generate-hashes --no-emit-package torch --no-header -o requirements.lock

clean: ## remove the environment and everything under var/, the database with it
	@! pgrep -f $(CURDIR)/platform/rootstock/supervisor/guard_process.py >/dev/null || { echo "stop Rootstock first"; exit 2; }
	test ! -L var/services || rm -rf "$$(readlink -f var/services)"
	rm -rf var .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache

# torch first and alone: TORCH_INDEX=https://download.pytorch.org/whl/cpu takes the small build without CUDA.
$(INSTALLED): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 is needed and $(PYTHON) is not: install it, or say make PYTHON=/path/to/python3.11"; exit 2; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv >/dev/null || \
	  { $(PYTHON) -m venv --clear --without-pip .venv && $(PYTHON) -m pip --python $(BIN)/python install -q pip; } # Debian without python3.11-venv
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	$(PIP) --no-deps --require-hashes -r requirements.lock
	@printf '%s\n' "$(CURDIR)/platform" "$(CURDIR)" \
	  >"$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/rootstock.pth" # benches run by their path alone
	@touch $@

.PHONY: help install demo up test check lint bench pictures browser lock clean
.DEFAULT_GOAL := help
