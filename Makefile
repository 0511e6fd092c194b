# realflops: everything that is built, generated or checked starts here.
# `make help` lists the targets; `make run` and `make test` need git, make and Go alone.

# Pins: each fits Go 1.26. A tool lives in .tools/NAME@VERSION, so that
# a new pin is a new folder and an installed one is never installed again.
GOLANGCI_LINT_VERSION := v2.6.2
GOTESTSUM_VERSION     := v1.13.0
INFLUXD_VERSION       := v1.8.10
NVRTC_VERSION         := 12.9.86
BOCHS_VERSION         := 3.0

TOOLS         := $(CURDIR)/.tools
GOLANGCI_LINT := $(TOOLS)/golangci-lint@$(GOLANGCI_LINT_VERSION)/golangci-lint
GOTESTSUM     := $(TOOLS)/gotestsum@$(GOTESTSUM_VERSION)/gotestsum
INFLUXD       := $(TOOLS)/influxd@$(INFLUXD_VERSION)/influxd
NVRTC         := $(TOOLS)/nvrtc@$(NVRTC_VERSION)
BOCHS         := $(TOOLS)/bochs@$(BOCHS_VERSION)/bochs

# The Go that is installed is the one that is used: no toolchain is fetched.
export GOTOOLCHAIN := local
# The real InfluxDB that tests start; without make they take the one in .tools/bin.
export REALFLOPS_TEST_INFLUXD := $(INFLUXD)
# The emulator that runs the kernels whose instructions few CPUs have; without make they take the one in .tools.
export REALFLOPS_TEST_BOCHS := $(dir $(BOCHS))
# The worker that end-to-end tests start on emulated GPUs.
export REALFLOPS_TEST_WORKER := $(CURDIR)/bin/realflops-worker

VERSION := $(shell git describe --always --dirty 2>/dev/null || echo dev)
PROGRAM := bin/realflops
WORKER  := bin/realflops-worker
SHIM    := bin/realflops-emulated.so
LOGS    := build/test
ASM     := kernels/cpu/_asm

# gorgonia.org/cu includes cuda.h and links -lcuda: both are ours, and open the driver's at the first call.
DRIVER     := kernels/cuda/driver
LIBCUDA    := build/cuda/libcuda.a
SHIM_SRC   := kernels/cuda/emulator/shim
WORKER_ENV := CGO_ENABLED=1 CGO_CFLAGS="-O2 -I$(CURDIR)/$(DRIVER)/include" CGO_LDFLAGS="-L$(CURDIR)/build/cuda -ldl"
TAGGED     := ./kernels/cuda/driver/... ./cmd/realflops-worker/...

# Each pass leaves its events in $(LOGS), where `tally` counts them.
GOTEST = $(GOTESTSUM) --format pkgname --hide-summary skipped --jsonfile $(LOGS)/$@.json -- -timeout 30m
# The packages by the pass that runs them: each test runs once without -race.
CONFORMANCE := ./kernels/...
END_TO_END  := ./cmd/... ./deploy/...

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run build program worker test generate format lint tools kernels bench-peers gpu-check clean \
	packages start check-generated check-kernels vet unit conformance worker-test end-to-end race arm64 tally

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## build the program and run its main job: measure, calibrate, estimate, keep
	./$(PROGRAM) run --suite quick

build: program ## build both programs; without a C compiler the first alone
	@if command -v gcc >/dev/null; then $(MAKE) --no-print-directory worker; \
	else echo "gcc is missing: bin/realflops-worker, which measures GPUs, is not built (apt-get install gcc libc6-dev, then make worker)"; fi

program: ## build bin/realflops, static
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)" -o $(PROGRAM) ./cmd/realflops

worker: $(LIBCUDA) $(SHIM) ## build bin/realflops-worker, which measures GPUs (gcc alone, no CUDA toolkit)
	$(WORKER_ENV) go build -tags worker -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$(VERSION)" -o $(WORKER) ./cmd/realflops-worker

build/cuda/%.o: $(DRIVER)/stub/%.c $(DRIVER)/include/cuda.h $(DRIVER)/include/open.h
	@mkdir -p $(@D)
	gcc -O2 -Wall -Wextra -Werror -fPIC -fvisibility=hidden -I$(DRIVER)/include -c $< -o $@

$(LIBCUDA): build/cuda/open.o build/cuda/functions.o
	rm -f $@ && ar rcs $@ $^

# What a worker opens in place of the driver's libraries under --emulate.
$(SHIM): $(wildcard $(SHIM_SRC)/*.c $(SHIM_SRC)/*.h)
	@mkdir -p $(@D)
	gcc -O2 -Wall -Wextra -Werror -shared -fPIC -fvisibility=hidden -Wl,-z,defs -o $@ $(SHIM_SRC)/*.c -lpthread

# In this order, so that what is quick to fail fails first.
test: start packages check-generated check-kernels vet unit conformance worker-test end-to-end lint race arm64 tally ## install what tests need, then every check there is

generate: ## regenerate the assembly of kernels/cpu and the driver's header (generators: kernels/cpu/_asm, kernels/cuda/driver/gen)
	go generate ./kernels/...

kernels: $(NVRTC)/installed ## compile the GPU kernels for every architecture and hold them to their claims (no GPU, no toolkit)
	PYTHONDONTWRITEBYTECODE=1 $(NVRTC)/bin/python kernels/cuda/_build/build.py compile kernels/cuda/compiled
	PYTHONDONTWRITEBYTECODE=1 $(NVRTC)/bin/python kernels/cuda/_build/build.py assemble kernels/cuda/compiled
	PYTHONDONTWRITEBYTECODE=1 $(NVRTC)/bin/python kernels/cuda/_build/build.py table kernels/cuda/compiled docs/gpu-kernels.md

format: $(GOLANGCI_LINT) ## rewrite the Go files in gofumpt's style
	$(GOLANGCI_LINT) fmt

tools: packages $(GOTESTSUM) $(INFLUXD) $(BOCHS) $(GOLANGCI_LINT) ## install what tests need, pinned (done by test)

PEERS_ARGS ?= --slope 512,1024,2048,4096,8192
bench-peers: ## every kernel beside the libraries people use, interleaved in one run (twelve minutes; PEERS_ARGS=--help names its flags)
	-sh scripts/peers.sh
	go build -buildvcs=false -o bin/peers ./bench/peers
	./bin/peers $(PEERS_ARGS)

gpu-check: build ## on a GPU: every kernel against its oracle, PyTorch beside our engines, a run; at most nine minutes (docs/gpu-check.md)
	sh scripts/gpu-check.sh $(GPU_CHECK_ARGS)

clean: ## remove what was built (the tools stay; rm -r .tools removes them)
	rm -rf bin build

## The passes of `test`, each a target that can be run alone.

start:
	@rm -rf $(LOGS) && mkdir -p $(LOGS) && date +%s >$(LOGS)/started

packages: # gcc and libc for -race and the worker, qemu and a disassembler for arm64, python3 for the GPU kernels' compiler, systemd-analyze for deploy/
	sh scripts/packages.sh gcc libc6-dev binutils binutils-aarch64-linux-gnu qemu-user-static python3-venv jq util-linux systemd

check-generated: ## fail where the committed assembly is not what its generator makes
	sh scripts/check-generated.sh

check-kernels: $(NVRTC)/installed ## fail where the committed GPU kernels are not what their sources give
	sh scripts/check-kernels.sh $(NVRTC)/bin/python

vet: ## go vet for amd64 and arm64, and the generator with its tests
	GOARCH=amd64 go vet ./...
	GOARCH=arm64 go vet ./...
	cd $(ASM) && go vet ./... && go test ./...

lint: $(GOLANGCI_LINT) ## static checks, import direction, formatting (.golangci.yml)
	$(GOLANGCI_LINT) run ./...
	cd $(ASM) && $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml ./...

unit: $(GOTESTSUM) $(INFLUXD) | $(LOGS) ## tests of the packages without the kernels and the program
	$(GOTEST) $$(go list ./... | grep -vE '/realflops/(kernels|cmd|deploy)(/|$$)')

conformance: $(GOTESTSUM) $(BOCHS) | $(LOGS) ## every implementation of every kernel against its reference
	$(GOTEST) $(CONFORMANCE)

worker-test: $(GOTESTSUM) $(GOLANGCI_LINT) $(LIBCUDA) | $(LOGS) ## vet, lint and test what is built with the tag worker
	$(WORKER_ENV) go vet -tags worker $(TAGGED)
	$(WORKER_ENV) $(GOLANGCI_LINT) run --build-tags worker $(TAGGED)
	$(WORKER_ENV) $(GOTEST) -tags worker $(TAGGED)

end-to-end: $(GOTESTSUM) $(INFLUXD) worker | $(LOGS) ## the program as a whole, and what deploy/ runs
	$(GOTEST) $(END_TO_END)

race: $(GOTESTSUM) $(INFLUXD) $(BOCHS) | $(LOGS) ## the short tests under the race detector
	CGO_ENABLED=1 $(GOTEST) -race -short ./...

arm64: $(GOTESTSUM) $(INFLUXD) | $(LOGS) ## the short tests as arm64 programs under qemu, without bench/peers, whose rivals are amd64's
	GOARCH=arm64 CGO_ENABLED=0 $(GOTEST) -short -exec 'qemu-aarch64-static -cpu max' $$(go list ./... | grep -v /bench/peers$$)

tally:
	@go run -buildvcs=false ./scripts/tally -started $$(cat $(LOGS)/started) $(LOGS)/*.json

$(LOGS):
	@mkdir -p $@

$(GOLANGCI_LINT):
	GOBIN=$(@D) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
$(GOTESTSUM):
	GOBIN=$(@D) go install gotest.tools/gotestsum@$(GOTESTSUM_VERSION)
$(BOCHS): scripts/bochs.sh # 7 MB of packages: AMX and AVX512-FP16 are tested in it
	sh scripts/bochs.sh $(@D)
$(NVRTC)/installed: kernels/cuda/_build/requirements.txt # a virtual environment of 400 MB: NVIDIA's compiler library and disassembler
	python3 -m venv $(@D)
	$(@D)/bin/python -m pip install -q --disable-pip-version-check --no-deps -r $<
	touch $@
$(INFLUXD): # its go.mod lacks sums of modules it needs, hence -mod=mod
	GOFLAGS=-mod=mod GOBIN=$(@D) go install github.com/influxdata/influxdb/cmd/influxd@$(INFLUXD_VERSION)
	mkdir -p $(TOOLS)/bin && ln -sf ../$(notdir $(@D))/influxd $(TOOLS)/bin/influxd
