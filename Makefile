# make demo    everything, no accounts needed
# make test    lint, types, contracts, then every test against a real Redis
# make check   the quick part of make test
# make bench   how fast it is, measured beside references (docs/performance.md)
# make bench-recovery  how soon what broke is right again
# make soak    random calls under random faults: make soak ARGS="--seconds 600 --seed 7"
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: demo test check bench bench-ingest bench-sse bench-batch bench-recovery soak format reference lock clean screenshots bench-console

$(STAMP): requirements-dev.txt setup.cfg
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	touch $(STAMP)

demo: $(STAMP)
	$(BIN)/orchestrator demo $(ARGS)

check: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -q -n 2 tests/unit --ignore=tests/unit/core
	$(BIN)/python -m pytest -q -n 2 tests/unit/core tests/property --cov=orchestrator.core --cov-branch --cov-report=term-missing --cov-fail-under=100

# The desktop client and the Flex plugin; the client comes first, the plugin is built on it.
JAVASCRIPT := examples/javascript examples/flex-plugin

%/node_modules/.installed: %/package-lock.json
	npm --prefix $* ci --ignore-scripts --no-audit --no-fund --loglevel=error
	touch $@

javascript:
	sh scripts/require-node.sh
	for each in $(JAVASCRIPT); do \
	    $(MAKE) --no-print-directory $$each/node_modules/.installed || exit 1; \
	    npm --prefix $$each run --silent check && npm --prefix $$each test --silent || exit 1; \
	done

test: check javascript
	sh scripts/require-redis.sh
	sh scripts/require-faketime.sh
	$(BIN)/python -m pytest -q -n 3 --dist loadfile tests/integration tests/contract
	$(BIN)/python -m pytest -q -n 2 --dist loadfile tests/e2e
	$(BIN)/python -m pytest -q tests/soak
	sh scripts/require-chromium.sh
	$(MAKE) --no-print-directory tests/browser/axe/node_modules/.installed
	$(BIN)/python -m pytest -q tests/browser
	sh scripts/require-promtool.sh $(BIN)
	$(BIN)/python -m pytest -q tests/deployment

# Pictures of the console for docs/images; look at them.
screenshots: $(STAMP)
	sh scripts/require-redis.sh
	sh scripts/require-faketime.sh
	sh scripts/require-chromium.sh
	$(BIN)/python -m tests.browser.console.screenshots

bench: $(STAMP)
	sh scripts/require-redis.sh
	sh scripts/require-wrk.sh
	$(BIN)/python benchmarks/voice_webhook.py
	$(BIN)/python benchmarks/hold_to_stop.py
	$(BIN)/python benchmarks/under_load.py
	$(BIN)/python benchmarks/scale.py
	$(BIN)/python benchmarks/start_and_drain.py

bench-recovery: $(STAMP)
	sh scripts/require-redis.sh
	$(BIN)/python benchmarks/recovery.py $(ARGS)

bench-ingest: $(STAMP)
	sh scripts/require-redis.sh
	$(BIN)/python benchmarks/ingest.py $(ARGS)

bench-sse: $(STAMP)
	sh scripts/require-redis.sh
	$(BIN)/python benchmarks/sse.py $(ARGS)

bench-console: $(STAMP)
	sh scripts/require-redis.sh
	$(BIN)/python -m benchmarks.console

bench-batch: $(STAMP)
	$(BIN)/python benchmarks/batch_export.py $(ARGS)

soak: $(STAMP)
	sh scripts/require-redis.sh
	sh scripts/require-faketime.sh
	$(BIN)/python -m tests.soak $(ARGS)

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# docs/configuration.md, from the texts beside the settings; a test tells when it is out of date.
reference: $(STAMP)
	$(BIN)/orchestrator config-reference > .reference
	mv .reference docs/configuration.md

# Needs pip-tools in the virtual environment (pip install pip-tools).
lock:
	$(BIN)/pip-compile --quiet --no-strip-extras --generate-hashes --no-emit-index-url --no-emit-find-links -o requirements.txt setup.cfg
	$(BIN)/pip-compile --quiet --no-strip-extras --allow-unsafe --generate-hashes --no-emit-index-url --no-emit-find-links --extra demo --extra dev --extra otel -o requirements-dev.txt setup.cfg requirements-build.in

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .coverage build dist *.egg-info
	rm -rf examples/*/node_modules examples/*/build tests/browser/axe/node_modules
