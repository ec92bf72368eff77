# Two commands: `make demo` shows Rootstock at work, `make test` tests it. Both install what they need.
SHELL := bash
PYTHON ?= python3.11
BIN := .venv/bin
INSTALLED := .venv/.installed
export PYTHONPATH := platform:.

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
	$(BIN)/pytest -m "not slow and not browser"

lint: install ## style, types, layers, templates, migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy platform/rootstock apps models_zoo workers
	$(BIN)/lint-imports
	$(BIN)/djlint --check --lint platform apps
	$(BIN)/python manage.py makemigrations --check --dry-run

bench: install ## the measurements that README shows
	$(BIN)/pytest tests/bench -s

browser: install # a Chromium for the browser tests, or a plain word that they will be skipped
	@$(BIN)/python tests/chromium.py

lock: ## resolve pyproject.toml into requirements.lock (needs uv)
	uv pip compile pyproject.toml --group test --group lint --python-version 3.11 --python-platform linux \
	  --generate-hashes --no-emit-package torch --no-header -o requirements.lock

clean: ## remove the environment and everything under var/, the database with it
	@! pgrep -f "$(CURDIR)/platform/rootstock/supervisor/guard_process.py" >/dev/null || { echo "Rootstock is running: stop it first"; exit 2; }
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache var

# torch first and alone: TORCH_INDEX=https://download.pytorch.org/whl/cpu takes the small build without CUDA.
$(INSTALLED): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 is needed: install python3.11 and its venv, or say make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "$(PYTHON) is not Python 3.11"; exit 2; }
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv || { echo "cannot make .venv: is the package python3.11-venv installed?"; exit 2; }
	$(BIN)/pip install --quiet --disable-pip-version-check $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch==2.13.0
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@touch $@

.PHONY: help install demo up test check lint bench browser lock clean
.DEFAULT_GOAL := help
