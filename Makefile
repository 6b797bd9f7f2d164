# Kassa's commands. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
GO ?= go
ENGINE := node_modules/.package-lock.json
PACKAGES ?= ./...

.PHONY: help demo build engine test test-tools race format lint generate fuzz bench clean

help: ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: build ## start a made-up shop with 60 days of history and live traffic, and print where to look
	./kassa demo

build: engine ## fetch the engine and build ./kassa
	$(GO) build -o kassa ./cmd/kassa

engine: $(ENGINE) ## fetch the ClickHouse engine (nothing to do when it is there)

$(ENGINE): package.json package-lock.json .ci/engine
	.ci/engine
	@touch $@

test: engine test-tools ## run all tests against the real engine, Prometheus and Chromium
	$(GO) vet $(PACKAGES)
	$(GO) test -timeout 20m $(PACKAGES)

test-tools: ## install what the tests need besides Go and Node.js (Debian: chromium, prometheus)
	@.ci/test-tools

race: engine test-tools ## run all tests with the race detector
	$(GO) test -race -timeout 40m $(PACKAGES)

format: ## check that gofmt has nothing to say
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { echo 'Not formatted; run gofmt -w on:'; gofmt -l $$(git ls-files '*.go'); exit 1; }

lint: format ## format, go vet and, where installed, golangci-lint
	$(GO) vet ./...
	@if command -v golangci-lint >/dev/null; then golangci-lint run; else echo 'golangci-lint is not installed: only gofmt and go vet were run.'; fi

generate: ## rebuild what is generated and committed (kassa.js)
	$(GO) generate ./...

fuzz: ## fuzz each parser of outside input for FUZZTIME (default 20s) each
	@.ci/fuzz $${FUZZTIME:-20s}

bench: build ## measure and print the ratios against their limits (about six minutes)
	$(GO) run ./internal/bench

clean: ## remove what was built and the demo's data (not your data directory)
	rm -rf kassa demo-data
