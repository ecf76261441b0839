# What you can do with Lectern. `make help` lists it; each line comes from the comment beside its target.

PYTHON ?= python3
VENV := .lectern/venv/bin
RUN := $(VENV)/python -m
# Some images set it. The demo and the tests start hundreds of processes: each would compile all of Django again, for 3 seconds.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup setup-tests demo demo-start demo-stop demo-reset demo-data test test-core test-core-sqlite test-stream test-chat \
  test-contract test-nginx test-embedded test-e2e test-browser test-schema test-long test-compose bench lint format lock clean

help: ## list what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .lectern/venv with the locked packages (skipped while the lock files stay the same)
	@$(PYTHON) deploy/embedded/install.py

setup-tests:
	@$(PYTHON) deploy/embedded/install.py --tests

demo: setup ## run everything here with demo courses, on http://127.0.0.1:8000 (LECTERN_PORT=9000 for another port), until Ctrl-C
	@exec $(RUN) deploy.embedded.demo run

demo-start: setup ## the same in the background; returns when it is ready
	@exec $(RUN) deploy.embedded.demo start

demo-stop: ## stop a demo, wherever it was started
	@if [ -x $(VENV)/python ]; then exec $(RUN) deploy.embedded.demo stop; else echo "Lectern is not running."; fi

demo-reset: demo-stop ## delete what the demo keeps: accounts, courses, videos
	@exec $(RUN) deploy.embedded.demo reset

demo-data: ## load the demo content into the running Compose stack
	@exec deploy/bin/demo-data

test: setup-tests ## lint, every suite, and the end-to-end tests against a demo of their own
	@exec $(RUN) deploy.embedded.run_tests

test-core: setup-tests ## core-api on PostgreSQL
	@exec $(RUN) deploy.embedded.run_tests core core-money

test-core-sqlite: setup-tests ## core-api on SQLite, as `manage.py runserver` uses it
	@exec $(RUN) deploy.embedded.run_tests core-sqlite

test-stream: setup-tests ## stream-gateway
	@exec $(RUN) deploy.embedded.run_tests stream

test-chat: setup-tests ## chat-gateway
	@exec $(RUN) deploy.embedded.run_tests chat

test-contract: setup-tests ## what the services promise each other
	@exec $(RUN) deploy.embedded.run_tests contract

test-nginx: setup-tests ## routes, limits, headers and files
	@exec $(RUN) deploy.embedded.run_tests nginx

test-embedded: setup-tests ## make demo and make setup themselves
	@exec $(RUN) deploy.embedded.run_tests embedded

test-e2e: setup-tests ## the main job, over HTTP and WebSocket, against a demo of its own
	@exec $(RUN) deploy.embedded.run_tests e2e

test-browser: setup-tests ## the support desk, an upload, and a lesson that plays, in Chromium (installed where it is missing, by root on Debian), against a demo of its own
	@command -v chromium >/dev/null || deploy/bin/install-chromium
	@exec $(RUN) deploy.embedded.run_tests browser

test-schema: setup-tests ## odd requests at every documented route, against a demo of its own
	@exec $(RUN) deploy.embedded.run_tests schema

test-long: setup-tests ## the tests that take minutes
	@exec $(RUN) deploy.embedded.run_tests --long

test-compose: setup-tests ## the end-to-end tests against a Compose stack, built and taken down again
	@exec deploy/bin/test-compose

bench: setup-tests ## measure what must be quick, and compare (ARGS=verifier for one of tests/bench/)
	@exec $(RUN) deploy.embedded.run_bench $(ARGS)

lint: setup-tests ## ruff and mypy over everything
	@exec $(RUN) deploy.embedded.run_tests lint

format: setup-tests ## write all Python the one way
	@$(VENV)/ruff check --quiet --fix . ; exec $(VENV)/ruff format .

lock: setup ## resolve the dependencies and write the lock files (ARGS=--upgrade for newer ones)
	@exec deploy/bin/lock $(ARGS)

clean: ## delete the virtual environment and the caches; what the demo keeps stays
	@rm -rf .lectern/venv .lectern/tests .pytest_cache .mypy_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +
