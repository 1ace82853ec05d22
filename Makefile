# What a newcomer types. `make run` and `make test` do all the set-up themselves.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: run stop test lint bench dist clean lock help

VERSION := $(shell cat VERSION)
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := bundle installer dkumonitor collectors dkm console
# `make run` and the tests need no Grafana; GRAFANA=download or GRAFANA=FILE bundles it.
GRAFANA ?=
ifeq ($(GRAFANA),)
GRAFANA_OPTION := --without grafana
else ifneq ($(GRAFANA),download)
GRAFANA_OPTION := --grafana '$(GRAFANA)'
endif

help:
	@echo 'make run    build the bundle, install it into ./demo, start it and say where to look'
	@echo 'make stop   end what make run started'
	@echo 'make test   all tests, on the real bundle'
	@echo 'make lint   ruff, mypy, import-linter, shellcheck, gofmt, go vet'
	@echo 'make bench  measure against the peers and write docs/benchmarks.md'
	@echo 'make dist   build dist/dkumonitor-$(VERSION)-linux-amd64.tar.gz (without Grafana unless GRAFANA= is given)'
	@echo 'make lock   pin the newest versions that the *.in files allow'
	@echo 'make clean  remove what was built (not the cache, and not ./demo)'

dist:
	./make-package --install-tools $(GRAFANA_OPTION)

run: dist
	$(PYTHON) -m bundle.demo start

stop:
	$(PYTHON) -m bundle.demo stop

$(VENV)/ready: requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.txt
	touch $@

lint: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(PACKAGES) extras tests
	$(BIN)/lint-imports
	$(BIN)/shellcheck .ci/run tests/install-packages installer/launcher.sh templates/launchers/*
	test -z "$$(gofmt -l scanner)" || { gofmt -d scanner; exit 1; }
	cd scanner && go vet ./...

# These compare what is shown with the machine itself, or idle for minutes: they come first, and alone.
QUIET_TESTS := tests/bundle/test_dashboards.py tests/contract

# The tests run the bundle as users do, so it is built first. Most of them wait for programs: more workers than cores.
test: $(VENV)/ready dist
	tests/install-packages
	cd scanner && go test ./...
	$(BIN)/pytest -n 2 --dist loadgroup $(QUIET_TESTS) $(PYTEST_ARGS)
	$(BIN)/pytest -n 3 --dist loadgroup $(addprefix --ignore=,$(QUIET_TESTS)) $(PYTEST_ARGS)

bench: $(VENV)/ready dist
	$(BIN)/python -m tests.bench

lock: $(VENV)/ready
	$(BIN)/uv pip compile -q -U --generate-hashes --no-emit-index-url --no-header --python-version 3.13 \
	    --python-platform x86_64-manylinux2014 bundle/requirements.in -o bundle/requirements.txt
	$(BIN)/uv pip compile -q -U --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	    bundle/build-requirements.in -o bundle/build-requirements.txt
	$(BIN)/uv pip compile -q -U --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	    requirements-dev.in -o requirements-dev.txt
	npm install --prefix bundle/webassets --package-lock-only --ignore-scripts --no-audit --no-fund --omit-lockfile-registry-resolved

clean:
	rm -rf build dist
