# Every target is a line or two; what is longer lives in e2e/. CI runs `make test`, as people do.
GO ?= go
KUBERNETES := v1.36.3
PREVIOUS := v1.35.4
MASTERS := 1
# What lies in bin is no part of the module, whatever the tests put there.
$(shell mkdir -p bin && [ -e bin/go.mod ] || echo 'module tripod.dev/tripod/bin' >bin/go.mod)
LDFLAGS := -s -w -X main.version=$(shell git describe --tags --always --dirty 2>/dev/null || echo dev)

.PHONY: help build components containerd kind-parts helpers images up down kind-image kind-up kind-down test drill bench lint flags clean

help: ## Print this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

build: ## Build tripod at bin/tripod
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/tripod ./cmd/tripod

components: bin/components/$(KUBERNETES)/.built bin/components/$(PREVIOUS)/.built ## Build Kubernetes and etcd, two versions of them (cached)

bin/components/%/.built: e2e/components/build.sh e2e/components/%/kubernetes/go.mod e2e/components/%/kubernetes/go.sum e2e/components/%/etcd/go.mod e2e/components/%/etcd/go.sum
	GO=$(GO) e2e/components/build.sh kubernetes $*

containerd: bin/components/containerd/.built ## Build containerd, its shim and ctr (cached)

bin/components/containerd/.built: e2e/components/build.sh e2e/components/containerd/go.mod e2e/components/containerd/go.sum
	GO=$(GO) e2e/components/build.sh containerd

KIND_PARTS := $(foreach m,kind/v0.30.0 kind/v0.33.0 crictl coredns $(KUBERNETES)/kubernetes,e2e/components/$(m)/go.mod e2e/components/$(m)/go.sum)

kind-parts: bin/components/kind/.built ## Build kind, CoreDNS, crictl and kubeadm's own tests (cached)

bin/components/kind/.built: e2e/components/build.sh $(KIND_PARTS)
	GO=$(GO) e2e/components/build.sh kind

helpers:
	cd e2e && CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o ../bin/e2e/ ./pause ./hold ./docker/capless ./kind/echo ./kind/envoy
	CGO_ENABLED=0 $(GO) build -trimpath -tags killpoint -o bin/e2e/tripod-killpoint ./cmd/tripod

images: components helpers ## Write container images of the components as OCI archives to bin/images
	cd e2e && $(GO) run ./images

up: build bin/components/$(KUBERNETES)/.built ## Bring up a sandbox: three real masters on this machine, without root
	@bin/tripod sandbox up --masters 3 --bin-dir bin/components/$(KUBERNETES)

down: build ## Stop the sandbox and leave nothing of it
	@bin/tripod sandbox down

kind-image: build components containerd kind-parts helpers ## Build a node image for kind with tripod as its kubeadm
	@cd e2e && $(GO) run ./kind/cmd -version $(KUBERNETES) image

kind-up: build components containerd kind-parts helpers ## Create a cluster "tripod" with kind and that image (MASTERS=3: of three masters)
	@cd e2e && $(GO) run ./kind/cmd -version $(KUBERNETES) -masters $(MASTERS) up

kind-down: ## Delete that cluster, and stop the docker engine if it was started for it
	@cd e2e && $(GO) run ./kind/cmd down

test: ## Run every test that this machine can run; sets itself up
	@cd e2e && $(GO) run ./check

drill: ## Run the long tests: tripod killed at every step boundary, and at random moments
	@cd e2e && $(GO) run ./check -drill

bench: build bin/components/$(KUBERNETES)/.built containerd kind-parts helpers ## Measure tripod beside kubeadm and the raw processes (root)
	@cd e2e && $(GO) run ./bench

lint: ## gofmt, vet, staticcheck, go mod tidy, govulncheck
	@cd e2e && $(GO) run ./check -only lint

flags: ## Regenerate the tables of flags that the components know
	cd e2e && $(GO) run ./flags

clean: ## Remove everything that was built
	rm -rf bin
