# Doorward. `make help` lists the targets; each installs what it needs, once.

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory --no-builtin-rules

VENV := .venv
BIN := $(VENV)/bin
NPM := tests/npm
OLD_SDK := .cache/seamapi-python
NEW_CLIENT := .cache/py2n-intercom
# One test more at a time than there are processors: many wait for something.
PYTEST := $(BIN)/pytest --numprocesses=$(shell echo $$(($$(nproc 2>/dev/null || echo 2) + 1))) --dist=worksteal

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export PIP_ROOT_USER_ACTION := ignore
export npm_config_update_notifier := false


# Without a home to keep caches in, they go beside the sources.
ifneq ($(shell test -n "$$HOME" && test -w "$$HOME" && echo yes),yes)
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export npm_config_cache := $(CURDIR)/.cache/npm
endif

.PHONY: help run install test check e2e soak bench profile demo format docs clean
.DELETE_ON_ERROR:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: install ## start the server on http://127.0.0.1:8080 (options: make run ARGS="--port 9000")
	@exec $(BIN)/doorward serve $(ARGS)

install: $(VENV)/.installed ## only .venv, with the doorward command in .venv/bin

test: dev npm system ## everything: all tests, a browser and the SDKs among them (one file: make test ARGS=tests/e2e)
	@exec $(PYTEST) $(ARGS)

check: dev npm ## formatting, lint, types, layers, fast tests
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/ruff check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@exec $(PYTEST) -m "not e2e" $(ARGS)

e2e: dev npm system ## the guide with the official SDKs, in a browser, across restarts
	@exec $(PYTEST) -m e2e $(ARGS)

soak: dev system ## random hostile stories, new ones each time (make soak EXAMPLES=2000 STEPS=60)
	@DOORWARD_SOAK_EXAMPLES=$(or $(EXAMPLES),500) DOORWARD_SOAK_STEPS=$(or $(STEPS),40) \
		exec $(BIN)/pytest tests/hostile/test_hostile.py $(ARGS)

bench: install npm ## side by side with the official fake and a bare ASGI app, and 1,000 watched intercoms (a quick look: make bench ARGS=--quick)
	@tools/system-packages.sh --optional wrk || true
	@$(BIN)/python bench/run.py $(ARGS)
	@$(BIN)/python bench/scale.py $(filter --quick,$(ARGS))
	@$(BIN)/python bench/codes.py $(filter --quick,$(ARGS))
	@$(BIN)/python bench/lists.py $(or $(filter --quick,$(ARGS)),--rows 100000 --rounds 3)
	@exec $(BIN)/python bench/hooks.py $(filter --quick,$(ARGS))

bench-scale: install ## 10,000 watched intercoms on one process (ten minutes; other sizes: ARGS="--watched 2000")
	@exec $(BIN)/python bench/scale.py $(or $(ARGS),--watched 10000 --tls 0 --users 0 --codes 0)

profile: install ## where the time of a request goes (one case: make profile ARGS=locks_get)
	@exec $(BIN)/python bench/profile_request.py $(ARGS)

demo: $(VENV)/.demo ## walk the 2N guide with the official SDK against a throw-away server
	@exec $(BIN)/python -m doorward.demo

format: dev ## format the code, and fix what can be fixed
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

docs: install ## write the generated pages of docs/ anew
	@$(BIN)/python tools/coverage.py --write
	@$(BIN)/python tools/events_page.py --write
	@exec $(BIN)/python tools/emulator_page.py --write

clean: ## remove what the targets above have made
	rm -rf $(VENV) .cache $(NPM)/node_modules .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# ---------------------------------------------------------------- what the targets need

.PHONY: dev npm system
dev: $(VENV)/.dev $(OLD_SDK)/.installed $(NEW_CLIENT)/.installed
npm: $(NPM)/node_modules/.package-lock.json

system:
	@tools/system-packages.sh chromium curl postgresql

$(VENV)/.installed: pyproject.toml
	@tools/make-venv.sh $(VENV)
	@echo "Installing Doorward into $(VENV)"
	@$(BIN)/python -m pip install -qq --editable .
	@touch $@

$(VENV)/.demo: $(VENV)/.installed
	@$(BIN)/python -m pip install -qq --group demo
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	@echo "Installing the tools for checks and tests into $(VENV)"
	@$(BIN)/python -m pip install -qq --group check --group test
	@touch $@ $(VENV)/.demo

# The Python SDK of 2023 wants old versions of common packages: it gets a place of its own.
$(OLD_SDK)/.installed: $(VENV)/.installed
	@rm -rf $(OLD_SDK)
	@$(BIN)/python -m pip install -qq --group old-sdk --target $(OLD_SDK)
	@touch $@

# A 2N client that says it wants Python 3.12 or newer and runs on 3.11 as it is; aiohttp it finds in the environment.
$(NEW_CLIENT)/.installed: $(VENV)/.installed
	@rm -rf $(NEW_CLIENT)
	@$(BIN)/python -m pip install -qq --group new-client --no-deps --ignore-requires-python --target $(NEW_CLIENT)
	@touch $@

$(NPM)/node_modules/.package-lock.json: $(NPM)/package.json $(NPM)/package-lock.json $(NPM)/.npmrc
	@tools/system-packages.sh --required node
	@echo "Installing npm packages into $(NPM)/node_modules"
	@cd $(NPM) && npm ci --loglevel=error
	@touch $@
