# Every target works in a fresh clone with Go, git, make and a C compiler (for the race detector).

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

FUZZTIME ?= 30s
COUNT ?= 1
TESTFLAGS ?=
# More flags of go test in make test, for the packages that start servers.
SERVERFLAGS ?=

# Without cgo there is no C to compile, which takes make demo from 68 s to 50 s from empty caches on two cores. What all
# targets compile in the same way, they compile once. The race detector alone needs cgo: what its tests build does not.
export CGO_ENABLED = 0

# Compilers yield to tests, which have deadlines. They take 15% less time when they collect their garbage less often.
export GOFLAGS := $(shell go env GOFLAGS) '-toolexec=nice env GOGC=400'

# Modules with tests of their own: all but the pinned tools and the comparison with other libraries. The licence gate,
# the release and gotest are no pinned tools but this project's own programs.
MODULES = $(shell find . -name go.mod -not -path './tools/*' -not -path './benchmarks/*' | sed 's|/go.mod$$||' | sort) ./tools/gotest ./tools/licences ./tools/release
ALL_MODULES = $(shell find . -name go.mod | sed 's|/go.mod$$||' | sort)

# The servers that tests talk to. What these variables name is used instead of building:
#   KUBEBUILDER_ASSETS  a folder with kube-apiserver and etcd, and maybe kube-controller-manager and kubectl
#   VICTORIALOGS_BIN    the victoria-logs binary
#   OTELCOL_BIN         an OpenTelemetry Collector with the components of tools/otelcol
#   PROMTOOL_BIN        promtool, which tests the alerts; no server, but built like one
SERVERS =
ifeq ($(KUBEBUILDER_ASSETS),)
SERVERS += bin/kube-apiserver bin/etcd
endif
ifeq ($(wildcard $(KUBEBUILDER_ASSETS)/kube-controller-manager),)
SERVERS += bin/kube-controller-manager
endif
ifeq ($(wildcard $(KUBEBUILDER_ASSETS)/kubectl),)
SERVERS += bin/kubectl
endif
ifeq ($(VICTORIALOGS_BIN),)
SERVERS += bin/victoria-logs
endif
ifeq ($(OTELCOL_BIN),)
SERVERS += bin/otelcol
endif
ifeq ($(PROMTOOL_BIN),)
SERVERS += bin/promtool
endif

SCHEMA = deploy/audit-configuration.schema.json
METRICS = docs/metrics.md
RULES = deploy/monitoring/rules.yaml
PROMETHEUSRULE = deploy/monitoring/prometheusrule.yaml
GENERATED = api deploy/crd $(SCHEMA) $(METRICS) $(PROMETHEUSRULE)

##@ Use

.PHONY: help
help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Send requests through the example proxy and show what it recorded
	go run ./examples/egressproxy/demo

.PHONY: demo-proof
demo-proof: ## Leave a sealed trail of the example proxy, tamper with copies of it, and find each change
	examples/egressproxy/proof.sh

##@ Test

# tools/gotest builds what make tools builds while it tests what starts no server. make lint vets, and a test binary without
# DWARF links in two thirds of the time.
.PHONY: test
test: bin/gotestsum ## Run every test of every module with -race, against real servers
	go -C tools/gotest build -o "$(CURDIR)/bin/gotest" .
	CGO_ENABLED=1 bin/gotestsum --format pkgname --hide-summary skipped --ignore-non-json-output-lines --raw-command -- \
		bin/gotest -modules "$(MODULES)" -server-flags "$(SERVERFLAGS)" -- \
		-race -exec 'env CGO_ENABLED=0' -count 1 -timeout 15m -vet=off -ldflags=-w $(TESTFLAGS)

# unit lists, with FLAGS of go list, the packages whose tests start no server.
unit = $$(go list $(1) -test -f '{{.ImportPath}} {{join .Deps " "}}' ./... \
	| grep -v '/internal/testenv' | sed -n 's/^\([^ ]*\)\.test .*/\1/p')

# Without -race and with -short, under which random tests take fewer rounds: make test runs all of them. A third of the
# time is waiting, so it tests more packages at once than there are cores.
.PHONY: test-unit
test-unit: ## Run the tests that start no server, with fewer rounds: those that do not link internal/testenv
	go test -short -p 4 $(TESTFLAGS) $(unit)

# The newest Kubernetes modules that are tested. go.mod requires the oldest; docs/versions.md names both.
NEWEST_KUBERNETES = v0.37.2
NEWEST_CONTROLLER_RUNTIME = v0.25.2
NEWEST = $(foreach m,api apiextensions-apiserver apimachinery apiserver client-go,k8s.io/$(m)@$(NEWEST_KUBERNETES)) \
	sigs.k8s.io/controller-runtime@$(NEWEST_CONTROLLER_RUNTIME)

# The go command reads and completes bin/newest.mod and bin/newest.sum instead of go.mod and go.sum.
.PHONY: test-newest
test-newest: $(filter bin/kube-apiserver bin/etcd,$(SERVERS)) ## Vet all packages, and run the tests of sinks/kube and those without a server, with the newest Kubernetes modules
	mkdir -p bin && cp go.mod bin/newest.mod && cp go.sum bin/newest.sum
	go mod edit $(addprefix -require=,$(NEWEST)) bin/newest.mod
	go vet -mod=mod -modfile=bin/newest.mod ./...
	go test -mod=mod -modfile=bin/newest.mod -vet=off -short -p 4 $(TESTFLAGS) ./sinks/kube $(call unit,-mod=mod -modfile=bin/newest.mod)

.PHONY: test-loki
test-loki: ## Hold a real Loki, named by LOKI_URL or LOKI_BIN, to the facts that the tests assume
	@test -n "$(LOKI_URL)$(LOKI_BIN)" || { echo "set LOKI_URL to the root of a running Loki, such as http://127.0.0.1:3100, or LOKI_BIN to a loki binary: see docs/loki-facts.md"; exit 1; }
	go test -count 1 -v -timeout 30m -run '^TestFacts$$' ./internal/lokitest/lokifacts > bin/loki-facts.log; status=$$?; \
		grep -a -e '^ok' -e '^FAIL' -e 'this Loki differs' -e 'cannot be asked' -e '^ *--- FAIL' -e '^ *--- SKIP' bin/loki-facts.log; \
		echo "$$(grep -a -c '^    --- PASS' bin/loki-facts.log) facts hold"; test $$status = 0
	go test -count 1 -timeout 30m -run 'Trap|^TestConformance$$' ./sinks/loki

.PHONY: test-dashboard
test-dashboard: ## Run the dashboard's queries and check loki.yaml with the real Loki that LOKI_BIN names
	@test -n "$(LOKI_BIN)" || { echo "set LOKI_BIN to a loki binary: nothing here builds one"; exit 1; }
	go test -count 1 -tags loki ./examples/compose

.PHONY: compose-test
compose-test: $(filter bin/victoria-logs,$(SERVERS)) ## Prove examples/compose with a Docker engine, started where it may be
	examples/compose/test.sh

.PHONY: crash
crash: $(SERVERS) ## Kill a process that writes through a spool 1,000 times, and look for what it confirmed
	AUDIT_SPOOL_KILLS=1000 go test -count 1 -v -timeout 60m -run KillsLoseNothingThatWasConfirmed ./sinks/spool

.PHONY: crash-log
crash-log: ## Kill a process whose 64 writers share the writes of a log 1,000 times, and look for what it confirmed
	AUDIT_LOG_KILLS=1000 go test -count 1 -v -timeout 60m -run KillLosesNoConfirmedLineOfManyWriters ./sinks/log

.PHONY: proof-kills
proof-kills: ## Kill a process that seals events 1,000 times, and verify what it left
	AUDIT_SEAL_KILLS=1000 go test -count 1 -v -timeout 60m -run KilledWriterLeavesAnIntactTrail ./sinks/seal

.PHONY: powerloss
powerloss: ## Look at 50,000 states of a spool's directory, and of a log's, after a power loss
	go test -count 1 -v -timeout 60m -run PowerLoss ./internal/recordlog ./sinks/log -powerloss 50000

.PHONY: crash-server
crash-server: bin/victoria-logs ## Kill VictoriaLogs 20 times at each level under load, and count what it had confirmed
	AUDIT_LOKI_SERVER_KILLS=20 go test -count 1 -v -timeout 60m -run KillsOfVictoriaLogs ./sinks/loki

.PHONY: crash-collector
crash-collector: $(filter bin/otelcol,$(SERVERS)) ## Kill a collector 1,000 times whose queue is on disk, and look for what it confirmed
	AUDIT_COLLECTOR_KILLS=1000 go test -count 1 -v -timeout 60m -run KillsOfACollector ./internal/collector

.PHONY: canonical
canonical: $(SERVERS) ## Compare the canonical form of 20,000 events as written and as read, at every destination
	AUDIT_CANONICAL_EVENTS=20000 go test -count 1 -v -timeout 60m -run EveryPlaceGivesTheSameFormBack ./internal/canonical

.PHONY: crash-reaper
crash-reaper: $(SERVERS) ## Kill a reaper ten times while it deletes 100,000 expired events
	AUDIT_REAPER_EXPIRED=100000 go test -count 1 -v -timeout 60m -run HoweverOftenTheReaperIsKilled ./retention

.PHONY: flood
flood: ## Collapse a million denied attempts into summaries, and add their counts up
	AUDIT_FLOOD_ATTEMPTS=1000000 go test -count 1 -v -timeout 30m -run FloodOfDenials ./sinks/flood

.PHONY: read-scale
read-scale: $(SERVERS) ## Compare 100,000 events in four places, and follow three while each server is killed 20 times
	AUDIT_READ_EVENTS=100000 AUDIT_READ_KILLS=20 go test -count 1 -v -timeout 120m -run 'DiffNamesExactlyWhatWasChanged|LogsFollowPrintsEachEventOnce' ./cmd/auditctl

.PHONY: fuzz
fuzz: ## Run each fuzz target for FUZZTIME (30s)
	@grep -rn --include='*_test.go' '^func Fuzz' . | sed 's|^\(.*\)/[^/]*:[0-9]*:func \(Fuzz[A-Za-z0-9_]*\).*|\1 \2|' \
	| while read -r dir name; do \
		echo "$$dir $$name"; \
		go -C "$$dir" test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) . || exit 1; \
	done

.PHONY: compared-tools
compared-tools:
	@for tool in grep jq; do command -v $$tool > /dev/null || { echo "$$tool is not in the PATH: reading a log is compared with it, so install it first"; exit 1; }; done

.PHONY: bench
bench: $(SERVERS) ## Compare with other libraries, and write docs/benchmarks.md: about 15 minutes on two quiet cores
	go -C benchmarks test ./...
	cd benchmarks && go run ./cmd/benchreport

.PHONY: bench-quick
bench-quick: $(SERVERS) ## The same with one event and one short round, printed only: under 2 minutes
	cd benchmarks && go run ./cmd/benchreport -quick

.PHONY: bench-read
bench-read: compared-tools ## Compare auditctl with grep and jq over a log of 660 MB, and write docs/benchmarks.md: about 7 minutes
	cd benchmarks && go run ./cmd/benchreport -only reading

.PHONY: bench-drain
bench-drain: $(SERVERS) ## Deliver backlogs behind a spool, beside what the destinations take, and write docs/benchmarks.md: about 8 minutes
	cd benchmarks && go run ./cmd/benchreport -only drain

.PHONY: bench-linked
bench-linked: ## Compare what programs link, and write docs/benchmarks.md: about 3 minutes
	cd benchmarks && go run ./cmd/benchreport -only linked

.PHONY: bench-instructions
bench-instructions: ## Count the instructions of an event on each path with valgrind, and fail where one took 5% fewer before
	cd benchmarks && go run ./cmd/instructions

.PHONY: bench-instructions-update
bench-instructions-update: ## Write those counts to benchmarks/results/instructions.txt
	cd benchmarks && go run ./cmd/instructions -update

.PHONY: bench-render
bench-render: ## Write docs/benchmarks.md again from the results in benchmarks/results
	cd benchmarks && go run ./cmd/benchreport -render

.PHONY: bench-package
bench-package: $(SERVERS) ## Run the benchmarks inside the library's packages COUNT (1) times
	go test -run '^$$' -bench . -benchmem -count $(COUNT) -timeout 30m \
		$$(grep -rl --include='*_test.go' '^func Benchmark' auditing sinks config 2>/dev/null | sed 's|/[^/]*$$||; s|^|./|' | sort -u)

.PHONY: cover
cover: $(SERVERS) ## Measure what the tests of the root module cover, into bin/cover.out
	go test -timeout 30m -coverprofile bin/cover.out -coverpkg ./api/...,./auditing/...,./config/...,./sinks/... ./...
	go tool cover -func bin/cover.out | tail -n 1

##@ Check

.PHONY: lint
lint: bin/golangci-lint ## Lint every module
	@for module in $(MODULES) ./benchmarks; do \
		echo "lint $$module"; (cd "$$module" && GOGC=400 "$(CURDIR)/bin/golangci-lint" run ./...) || exit 1; \
	done

.PHONY: verify
verify: verify-generated verify-tidy verify-licences lint ## Check generated files, formatting, go.mod files and the licences of what they require

.PHONY: verify-generated
verify-generated: generate
	@changed=$$(git status --porcelain -- $(GENERATED)); test -z "$$changed" || { \
		git diff -- $(GENERATED); echo "$$changed"; \
		echo "generated files differ from the committed ones: run make generate and commit them"; exit 1; }

.PHONY: verify-tidy
verify-tidy:
	@unformatted=$$(find . -name '*.go' -not -path './bin/*' -exec gofmt -l {} +); test -z "$$unformatted" || { \
		echo "run gofmt -w on:"; echo "$$unformatted"; exit 1; }
	@for module in $(ALL_MODULES); do \
		go -C "$$module" mod tidy -diff || { echo "run go mod tidy in $$module"; exit 1; }; \
	done

# Every require line of every go.mod, indirect ones and those of tools included, names a module whose licence is accepted
# for what the module is for. After verify-tidy the module cache holds all of the texts already.
.PHONY: verify-licences
verify-licences:
	@go -C tools/licences run . "$(CURDIR)"

# With VERSION, the tree has to be ready to be tagged as well.
.PHONY: release-check
release-check: ## Build and run programs outside the repository against its tags; with VERSION=v0.1.0, check that it can be tagged
	go -C tools/release test -tags outside -count 1 -v -timeout 30m -run '^(TestProgramsOutsideBuildAgainstTheTags|TestNestedModulesRequireOneVersion)$$' .
	$(if $(VERSION),go -C tools/release run . -version $(VERSION) -check)

##@ Build

.PHONY: generate
generate: bin/controller-gen ## Generate the deepcopy functions and the CRD from api/, the configuration's schema, docs/metrics.md and the PrometheusRule
	bin/controller-gen object paths=./api/...
	bin/controller-gen crd paths=./api/... output:crd:dir=deploy/crd
	go run ./cmd/auditctl schema > $(SCHEMA).part && mv $(SCHEMA).part $(SCHEMA)
	go run ./internal/metricsdoc > $(METRICS).part && mv $(METRICS).part $(METRICS)
	{ printf '%s\n' '# Made from rules.yaml by make generate.' 'apiVersion: monitoring.coreos.com/v1' 'kind: PrometheusRule' \
		'metadata:' '  name: audit' '  namespace: audit-system' 'spec:'; sed -e '/^#/d' -e 's/^./  &/' $(RULES); } > $(PROMETHEUSRULE)

.PHONY: tools
tools: $(SERVERS) ## Build etcd, Kubernetes, kubectl, VictoriaLogs, an OpenTelemetry Collector and promtool into bin/: minutes the first time

# A binary is built again when what it is built from has other content than bin/.NAME.from says, whatever the times of the
# files: a folder bin/ out of a cache serves a fresh checkout. from MODULE,OTHER FILES is what is built from a module.
from = $(shell cat tools/$(1)/go.mod tools/$(1)/go.sum $(addprefix tools/$(1)/,$(2)) | git hash-object --stdin)
FROM_GEN := $(call from,gen)
FROM_KUBE := $(call from,kube)
FROM_LINT := $(call from,lint)
FROM_OTELCOL := $(call from,otelcol,main.go)
FROM_PROMTOOL := $(call from,promtool)
FROM_VICTORIALOGS := $(call from,victorialogs)

# unless NAME,FROM is the prerequisite of bin/NAME.
unless = $(if $(filter $(2),$(shell cat bin/.$(1).from 2>/dev/null)),,FORCE)
.PHONY: FORCE

# build PACKAGE of the module tools/MODULE into the target, with FLAGS of go build, and note what it is built FROM. It is
# moved into place when it is whole: a test that starts meanwhile takes a file that exists for a finished one.
build = go -C tools/$(1) build -ldflags='-s -w' $(4) -o "$(CURDIR)/$@.part" $(2) && \
	mv $@.part $@ && echo $(3) > bin/.$(@F).from

# Without its version linked in, the API server says v0.0.0-master to clients that ask.
kubeflags = -ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$$(go -C tools/kube list -m -f '{{.Version}}' k8s.io/kubernetes)"

bin/kube-apiserver: $(call unless,kube-apiserver,$(FROM_KUBE))
	$(call build,kube,k8s.io/kubernetes/cmd/kube-apiserver,$(FROM_KUBE),$(kubeflags))

bin/kube-controller-manager: $(call unless,kube-controller-manager,$(FROM_KUBE))
	$(call build,kube,k8s.io/kubernetes/cmd/kube-controller-manager,$(FROM_KUBE),$(kubeflags))

bin/kubectl: $(call unless,kubectl,$(FROM_KUBE))
	$(call build,kube,k8s.io/kubernetes/cmd/kubectl,$(FROM_KUBE),$(kubeflags))

bin/etcd: $(call unless,etcd,$(FROM_KUBE))
	$(call build,kube,go.etcd.io/etcd/server/v3,$(FROM_KUBE))

bin/victoria-logs: $(call unless,victoria-logs,$(FROM_VICTORIALOGS))
	$(call build,victorialogs,github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs,$(FROM_VICTORIALOGS))

bin/otelcol: $(call unless,otelcol,$(FROM_OTELCOL))
	$(call build,otelcol,.,$(FROM_OTELCOL))

# Without the tag it would bring the client of every cloud that Prometheus can find targets in.
bin/promtool: $(call unless,promtool,$(FROM_PROMTOOL))
	$(call build,promtool,github.com/prometheus/prometheus/cmd/promtool,$(FROM_PROMTOOL),-tags remove_all_sd)

bin/golangci-lint: $(call unless,golangci-lint,$(FROM_LINT))
	$(call build,lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$(FROM_LINT))

bin/gotestsum: $(call unless,gotestsum,$(FROM_LINT))
	$(call build,lint,gotest.tools/gotestsum,$(FROM_LINT))

bin/controller-gen: $(call unless,controller-gen,$(FROM_GEN))
	$(call build,gen,sigs.k8s.io/controller-tools/cmd/controller-gen,$(FROM_GEN))
