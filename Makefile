# Every command of this project; `make` alone lists them.

.DEFAULT_GOAL := help
BIN := .venv/bin
SET_UP := .venv/.set-up
SERVICES := orders inventory accounting
# Where Python is told to keep no bytecode, each process and each test run makes it anew.
unexport PYTHONDONTWRITEBYTECODE
SOURCES := libs/*/src services/*/src tests terraform/costs.py

.PHONY: help
help: ## List the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(SET_UP) ## Install what is needed into .venv (PYTHON=… chooses the interpreter)

.PHONY: run
run: setup ## Run everything on http://localhost:8080 (ARGS="--port 9090 --detach --fresh")
	@exec $(BIN)/orderly up $(ARGS)

.PHONY: test
test: setup ## Run all the tests (ARGS="tests/orders -k cancel" for some)
	@$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadgroup $(ARGS)

.PHONY: test-fast
test-fast: setup ## Run the tests that need neither PostgreSQL nor SQS
	@$(BIN)/pytest -m "not (postgres or localstack or containers or deaths or chaos)" $(ARGS)

.PHONY: compose-test
compose-test: setup ## Run `docker compose up`, order, kill, scale and audit (needs Docker)
	@$(BIN)/pytest tests/compose -m "" --verbose --capture=no \
		--session-timeout=1200 --durations=8 $(ARGS)

.PHONY: console-test
console-test: setup ## Use the console in a browser (CHROMIUM=/path/to/it, SCREENSHOTS=folder)
	@$(BIN)/uv sync --frozen --all-packages --group console --inexact --quiet
	@$(if $(CHROMIUM),CHROMIUM=$(CHROMIUM)) $(if $(SCREENSHOTS),ORDERLY_SCREENSHOTS=$(abspath $(SCREENSHOTS))) \
		$(BIN)/pytest tests/console -m "" --numprocesses 2 $(ARGS)

.PHONY: deaths
deaths: setup ## Have services die wherever they can (COUNT=4 for some, PART=2/10 for a tenth, SEED=…)
	@ORDERLY_DEATHS=$(or $(PART),$(COUNT),all) $(if $(SEED),ORDERLY_SEED=$(SEED)) \
		$(BIN)/pytest tests/flows/test_deaths.py -m deaths --capture=no $(ARGS)

.PHONY: chaos
chaos: setup ## Have everything go wrong at once, and see that nothing is lost (SEED=… DURATION=60)
	@$(if $(SEED),ORDERLY_SEED=$(SEED)) ORDERLY_CHAOS_DURATION=$(or $(DURATION),60) \
		$(BIN)/pytest tests/chaos/test_chaos.py tests/orders/test_outage.py -m chaos --capture=no $(ARGS)

.PHONY: bugs
bugs: setup ## Put bugs in that others have had, and see that each is noticed (ARGS="-k float")
	@$(BIN)/pytest tests/chaos/test_bugs.py -m chaos --capture=no $(ARGS)

.PHONY: fuzz
fuzz: setup ## Send services what their OpenAPI allows and what not (CASES=30000, or SECONDS=600 each, or SHARE=1; SERVICE=orders)
	@ORDERLY_FUZZ_SERVICE=$(SERVICE) ORDERLY_FUZZ_SECONDS=$(SECONDS) \
		ORDERLY_FUZZ_CASES=$(or $(CASES),$(if $(SECONDS)$(SHARE),,30000)) \
		$(BIN)/pytest tests/contracts/test_fuzzing.py -m fuzz $(ARGS)

.PHONY: bench
bench: setup ## Measure what an order costs, beside its peers, in 10 minutes (QUICK=1: 3)
	@$(BIN)/uv sync --frozen --inexact --all-packages --group bench --quiet
	@QUICK=$(QUICK) $(BIN)/python -m bench $(ARGS)

.PHONY: check
check: setup ## Check format, lint, types and generated files
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy $(SOURCES)
	@$(BIN)/python -m contracts --check docs/events terraform/contracts
	@$(BIN)/python terraform/costs.py --check docs/deploy.md
	@$(BIN)/python -m orderly.measures | cmp --silent - docs/metrics.md \
		|| { echo "docs/metrics.md is stale: run make fmt" >&2; exit 1; }
	@for service in $(SERVICES); do \
		$(BIN)/python -m $$service openapi | cmp --silent - docs/api/$$service.json \
		|| { echo "docs/api/$$service.json is stale: run make fmt" >&2; exit 1; }; \
	done

.PHONY: terraform-check
terraform-check: setup ## Check, test and plan what is deployed to AWS
	@terraform/check

.PHONY: audit
audit: setup ## Look for known vulnerabilities in what we depend on (asks osv.dev)
	@$(BIN)/uv audit --locked --preview-features audit-command

.PHONY: fmt
fmt: setup ## Format, mend what can be mended, write generated files anew
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/python -m contracts docs/events terraform/contracts
	@$(BIN)/python terraform/costs.py docs/deploy.md
	@$(BIN)/python -m orderly.measures > docs/metrics.md
	@for service in $(SERVICES); do \
		$(BIN)/python -m $$service openapi > docs/api/$$service.json; \
	done

$(SET_UP): uv.lock pyproject.toml $(wildcard libs/*/pyproject.toml services/*/pyproject.toml) \
		libs/orderly/setup_environment.py libs/orderly/src/orderly/stack/emulator-requirements.txt
	@for python in $(or $(PYTHON),python3.13 python3.12 python3.11 python3.14 python3 python); do \
		if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			exec "$$python" libs/orderly/setup_environment.py; \
		fi; \
	done; \
	echo 'Orderly needs Python 3.11 or newer, and found none$(if $(PYTHON), at $(PYTHON)).' >&2; \
	echo 'Install one (Debian: apt install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3' >&2; \
	exit 1
