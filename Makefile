SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# Packages that have benchmarks worth comparing, and how often each runs.
BENCH_PACKAGES ?= ./proxy/... ./normalize/... ./quota/... ./metrics/... ./cmd/neuronward/admin/page
BENCH_COUNT ?= 6
BENCH ?= .
# Where this run's figures go, and earlier ones to compare with: make bench BENCH_OUT=new.bench BENCH_BASE=old.bench
BENCH_OUT ?= bin/new.bench
BENCH_BASE ?=

# Time of each fuzz target, and rounds of every test, in a soak.
FUZZTIME ?= 10m
SOAK_COUNT ?= 20
# Time that 64 callers and a failing upstream are held against the binary, without TLS and then with it.
SOAK_TIME ?= 1h
# Random days that the guard is held against in a soak.
SOAK_SEEDS ?= 1000
# Random answers that the count is held against.
SOAK_WIRES ?= 100000

TOOL := go tool -modfile=.ci/tools/go.mod

CONTAINER ?= docker

.PHONY: help demo demo-stack build image release test test-all lint fmt bench bench-peers screenshots soak soak-tests soak-load soak-fuzz soak-tokens soak-clients soak-mutation soak-release clean

help: ## list the targets
	@sed -nE 's/^([a-z][a-z-]*):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## run the proxy in front of a simulated Workers AI: no account needed
	@go run ./cmd/neuronward demo

demo-stack: ## the demo with a load, Prometheus and its alerts (Grafana, where it is installed): what on-call sees
	@bash deploy/compose/stack.sh

build: ## build bin/neuronward with its version and commit
	@bash .ci/build

image: ## build the container image neuronward, with docker, or with CONTAINER=podman
	$(CONTAINER) build -f deploy/Dockerfile -t neuronward \
		--build-arg VERSION="$$(git describe --tags --always --dirty)" --build-arg COMMIT="$$(git rev-parse HEAD)" \
		--build-arg DATE="$$(git log -1 --format=%cI)" .

release: ## build all that a release publishes, in dist/: archives, SBOMs, chart, image, SHA256SUMS
	@bash .ci/release

test: ## what a contributor runs: build, lint, tests with the race detector, README
	@bash .ci/test quick

test-all: test ## what CI runs: make test, then random days, SDKs, bad networks, dashboards, the page in a browser
	@bash .ci/test long

lint: ## go vet, golangci-lint, dead code, shellcheck, actionlint
	@bash .ci/test vet lint

fmt: ## format the Go code
	@$(TOOL) golangci-lint fmt ./...

bench: ## measure, and compare with the stock reverse proxy (and with BENCH_BASE, if given)
	@mkdir -p $(dir $(BENCH_OUT))
	go test -run '^$$' -bench '$(BENCH)' -benchmem -count $(BENCH_COUNT) $(BENCH_PACKAGES) | tee $(BENCH_OUT)
	@$(TOOL) benchstat $(BENCH_BASE) $(BENCH_OUT)
	@if grep -q 'impl=stock' $(BENCH_OUT); then echo; $(TOOL) benchstat -col '/impl@(stock neuronward)' $(BENCH_OUT); fi

bench-peers: ## CPU and memory beside a stock reverse proxy, and nginx and caddy where installed: PEERS="-rounds 5 -run TLS"
	cd deploy/test/peers && go run . $(PEERS)

screenshots: ## take the pictures of the page for people again (deploy/grafana)
	@bash .ci/page pictures

soak: soak-tests soak-load soak-fuzz soak-tokens soak-clients soak-mutation soak-release ## hours: every test SOAK_COUNT times under the race detector, random days, kills, load, every fuzz target for FUZZTIME, real tokenizers, frameworks and programs, mutants, a release with signatures

soak-tests:
	go test -race -shuffle=on -count $(SOAK_COUNT) -timeout 4h ./...
	go test -timeout 2h ./quota ./quota/pace -seeds $(SOAK_SEEDS)
	go test -timeout 2h ./proxy -run 'TestNeverOverAlwaysUsed|TestCancelledStreams' -seeds $(SOAK_SEEDS) -neurons 10000
	go test -timeout 1h ./proxy -run TestADayIsUsable -usable
	go test -timeout 2h ./proxy -run TestRandomWire -seeds $(SOAK_WIRES)
	go test -timeout 2h ./proxy -run 'TestCountAgreesHoweverItIsBilled|TestAttemptsOfAllAreCounted' -seeds $(SOAK_SEEDS)
	go test -timeout 1h ./quota/filestore -crashes 50
	go test -timeout 1h ./cmd/neuronward -run TestProcessKilled -crashes 50
	go test -timeout 1h ./cmd/neuronward -run TestReplicas -fleets 20 -day 10000 -outages -minute
	go test -timeout 1h ./cmd/neuronward -run 'TestReplicasFailOver|TestReplicasFarFromRedis|TestReplicasInASplitBrain|TestReplicasOnACluster' -failovers 20 -distances -splits 20 -moves 20
	go test -timeout 1h ./quota/redisstore -server valkey-server
	go test -timeout 1h ./cmd/neuronward -run TestReplicas -server valkey-server -failovers 20
	go test -timeout 1h ./cmd/neuronward -run TestUpgrade -formers 44b7a5c,532bf13
	go test -race -timeout 1h ./cmd/neuronward -run 'TestProcess.*UnderLoad' -reloads 200 -swaps 48

# The binary under what would bring down a proxy that lets everybody in; its memory and its callers' times are in the output.
soak-load:
	@bash .ci/install
	go test -v -timeout 1h ./cmd/neuronward -run TestUnderLoad -streams 2000 -uploads 64 -slow 60s
	go test -v -timeout 1h ./cmd/neuronward -run TestHostileConnections -hostile 6000 -hostile-time 60s
	cd proxy/toxictest && go test -race -count $(SOAK_COUNT) -parallel 8 -timeout 1h ./...
	cd deploy/test/peers && go run . -soak $(SOAK_TIME) && go run . -soak $(SOAK_TIME) -run TLS

soak-fuzz:
	@bash .ci/fuzz $(FUZZTIME)

# The estimate of a prompt's tokens against real tokenizers (npm), on texts of a new seed.
soak-tokens:
	bash quota/tokens/fit/soak.sh

# Frameworks and whole programs that CI has no time for. Besides checking them it compares deploy/test/sdk/MATRIX.md.
soak-clients:
	bash .ci/sdk -all

# At least 85 % of the classifier's mutants must be noticed. -count=1: a cached coverage run would make every mutant time out.
soak-mutation:
	GOFLAGS='-count=1 -vet=off -buildvcs=false' go run github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0 unleash \
		--workers 2 --timeout-coefficient 10 --threshold-efficacy 85 ./normalize

# A release for all platforms, signed and verified as deploy/README.md says. cosign is compiled first, which takes minutes.
soak-release:
	cd deploy/test && go test -count=1 -timeout 4h ./release -platforms all \
		-cosign 'go run github.com/sigstore/cosign/v3/cmd/cosign@v3.1.3'

clean: ## remove what was built
	rm -rf bin dist coverage
