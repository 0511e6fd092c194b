# realflops: everything that is built, generated or checked starts here.
# `make help` lists the targets; `make run` and `make test` need git, make and Go alone.

# Pins: each fits Go 1.26. A tool lives in .tools/NAME@VERSION, so that
# a new pin is a new folder and an installed one is never installed again.
GOLANGCI_LINT_VERSION := v2.6.2
GOTESTSUM_VERSION     := v1.13.0
INFLUXD_VERSION       := v1.8.10

TOOLS         := $(CURDIR)/.tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint@$(GOLANGCI_LINT_VERSION)/golangci-lint
GOTESTSUM     := $(TOOLS)/gotestsum@$(GOTESTSUM_VERSION)/gotestsum
INFLUXD       := $(TOOLS)/influxd@$(INFLUXD_VERSION)/influxd

# The Go that is installed is the one that is used: no toolchain is fetched.
export GOTOOLCHAIN := local
# The real InfluxDB that tests start; without make they take the one in .tools/bin.
export REALFLOPS_TEST_INFLUXD := $(INFLUXD)

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)
PROGRAM := bin/realflops
LOGS    := build/test
ASM     := kernels/cpu/_asm

# Each pass leaves its events in $(LOGS), where `tally` counts them.
GOTEST = $(GOTESTSUM) --format pkgname --hide-summary skipped --jsonfile $(LOGS)/$@.json -- -timeout 30m
# The packages by the pass that runs them: each test runs once without -race.
CONFORMANCE := ./kernels/...
END_TO_END  := ./cmd/... ./deploy/...

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run build test generate format lint tools bench-peers clean \
	packages start check-generated vet unit conformance end-to-end race arm64 tally

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build the program and run its main job: measure, calibrate, estimate, keep
	./$(PROGRAM) run --suite quick

build: ## build bin/realflops, static
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)" -o $(PROGRAM) ./cmd/realflops

# In this order, so that what is quick to fail fails first.
test: start packages check-generated vet unit conformance end-to-end lint race arm64 tally ## install what tests need, then every check there is

generate: ## regenerate the assembly of kernels/cpu (the generator is kernels/cpu/_asm)
	go generate ./kernels/...

format: $(GOLANGCI_LINT) ## rewrite the Go files in gofumpt's style
	$(GOLANGCI_LINT) fmt

tools: packages $(GOTESTSUM) $(INFLUXD) $(GOLANGCI_LINT) ## install what tests need, pinned (done by test)

bench-peers: ## gemm fp32 against OpenBLAS, interleaved in one run
	sh scripts/packages.sh gcc libc6-dev libopenblas-dev libopenblas0-pthread
	go run -buildvcs=false ./bench/peers

clean: ## remove what was built (the tools stay; rm -r .tools removes them)
	rm -rf bin build

## The passes of `test`, each a target that can be run alone.

start:
	@rm -rf $(LOGS) && mkdir -p $(LOGS) && date +%s >$(LOGS)/started

packages: # gcc and libc for -race, qemu for arm64, systemd-analyze for deploy/
	sh scripts/packages.sh gcc libc6-dev qemu-user-static jq util-linux systemd

check-generated: ## fail where the committed assembly is not what its generator makes
	sh scripts/check-generated.sh

vet: ## go vet for amd64 and arm64, and the generator
	GOARCH=amd64 go vet ./...
	GOARCH=arm64 go vet ./...
	cd $(ASM) && go vet ./...

lint: $(GOLANGCI_LINT) ## static checks, import direction, formatting (.golangci.yml)
	$(GOLANGCI_LINT) run ./...
	cd $(ASM) && $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...

unit: $(GOTESTSUM) $(INFLUXD) | $(LOGS) ## tests of the packages without the kernels and the program
	$(GOTEST) $$(go list ./... | grep -vE '/realflops/(kernels|cmd|deploy)(/|$$)')

conformance: $(GOTESTSUM) | $(LOGS) ## every implementation of every kernel against its reference
	$(GOTEST) $(CONFORMANCE)

end-to-end: $(GOTESTSUM) $(INFLUXD) | $(LOGS) ## the program as a whole, and what deploy/ runs
	$(GOTEST) $(END_TO_END)

race: $(GOTESTSUM) $(INFLUXD) | $(LOGS) ## the short tests under the race detector
	CGO_ENABLED=1 $(GOTEST) -race -short ./...

arm64: $(GOTESTSUM) $(INFLUXD) | $(LOGS) ## the short tests as arm64 programs under qemu
	GOARCH=arm64 CGO_ENABLED=0 $(GOTEST) -short -exec 'qemu-aarch64-static -cpu max' ./...

tally:
	@go run -buildvcs=false ./scripts/tally -started $$(cat $(LOGS)/started) $(LOGS)/*.json

$(LOGS):
	@mkdir -p $@

$(GOLANGCI_LINT):
	GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
$(GOTESTSUM):
	GOBIN=$(@D) go install gotest.tools/gotestsum@$(GOTESTSUM_VERSION)
$(INFLUXD): # its go.mod lacks sums of modules it needs, hence -mod=mod
	GOFLAGS=-mod=mod GOBIN=$(@D) go install github.com/influxdata/influxdb/cmd/influxd@$(INFLUXD_VERSION)
	mkdir -p $(TOOLS)/bin && ln -sf ../$(notdir $(@D))/influxd $(TOOLS)/bin/influxd
