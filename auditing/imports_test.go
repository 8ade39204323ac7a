package auditing_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	module = "github.com/paddock-dev/audit"
	api    = module + "/api/v1alpha1"
	core   = module + "/auditing"
	author = module + "/driver"

	eventJSON    = module + "/internal/eventjson"
	text         = module + "/internal/texts"
	naming       = module + "/internal/names"
	eventMetrics = module + "/internal/metrics"
	shared       = module + "/internal/sharedmetrics"
	requests     = module + "/internal/requestmetrics"
	hooks        = module + "/internal/hooks"
	onDisk       = module + "/internal/disk"
	recordLog    = module + "/internal/recordlog"
	optionTags   = module + "/internal/options"
	httpClient   = module + "/internal/httpclient"
	lokiNames    = module + "/internal/lokinames"
)

// goPackage is what `go list -json` says of a package.
type goPackage struct {
	ImportPath string
	Standard   bool
	Imports    []string
}

const (
	machinery  = "k8s.io/apimachinery"
	client     = "k8s.io/client-go"
	runtime    = "sigs.k8s.io/controller-runtime"
	zap        = "go.uber.org/zap"
	grafana    = "github.com/grafana"
	sinks      = module + "/sinks"
	prometheus = "github.com/prometheus/client_golang"
	otelTrace  = "go.opentelemetry.io/otel/trace"
	adapters   = module + "/adapters"
	readers    = module + "/reading"
	oldNames   = module + "/compat/auditing"
	egress     = module + "/examples/egressproxy"
)

// arrows is what one package may import and link.
type arrows struct {
	pkg string
	// imports are the only packages outside the standard library that pkg may
	// import itself, with what is below them; nil for any.
	imports []string
	// ownImports are the same for the packages of this module.
	ownImports []string
	// never are packages that must not be linked by pkg at all.
	never []string
}

var allArrows = []arrows{
	{pkg: "api/v1alpha1", imports: []string{machinery}, never: []string{client, runtime, zap, grafana, prometheus}},
	{pkg: "internal/eventjson", imports: []string{api, machinery, text}, never: []string{client, runtime, zap, grafana, prometheus}},
	{pkg: "internal/trail", imports: []string{api, machinery, module + "/internal/canonical", "github.com/oklog/ulid/v2", "golang.org/x/mod"}, never: []string{client, runtime, zap, grafana, prometheus}},
	{pkg: "internal/names", imports: []string{api, machinery, text, "github.com/oklog/ulid/v2"}, never: []string{client, runtime, zap, grafana, prometheus}},
	{pkg: "internal/canonical", imports: []string{api, machinery, eventJSON, naming}, never: []string{client, runtime, zap, grafana, prometheus}},
	{pkg: "internal/metrics", imports: []string{api, machinery, prometheus}, never: []string{client, runtime, zap, grafana}},
	{pkg: "internal/disk", imports: []string{}},
	{pkg: "internal/recordlog", imports: []string{onDisk}},
	{pkg: "internal/collector", imports: []string{"go.yaml.in/yaml/v3"}},
	{pkg: "internal/pages", imports: []string{}},
	{
		pkg: "auditing", imports: []string{api, machinery, prometheus, eventJSON, text, naming, eventMetrics, hooks},
		never: []string{client, runtime, zap, grafana, sinks, author, module + "/config", adapters, otelTrace},
	},
	{pkg: "adapters/audithttp", imports: []string{api, core}, never: []string{client, runtime, zap, grafana, sinks, author, otelTrace}},
	{pkg: "adapters/auditctrl", imports: []string{api, core, machinery, runtime}, never: []string{zap, grafana, sinks, author, otelTrace}},
	{pkg: "adapters/auditotel", imports: []string{api, core, otelTrace}, never: []string{client, runtime, zap, grafana, sinks, author}},
	{
		pkg: "driver", imports: []string{api, core, machinery, eventJSON, text, naming, eventMetrics, hooks, module + "/internal/canonical"},
		never: []string{client, runtime, zap, grafana, sinks, module + "/config"},
	},
	{
		pkg: "driver/httpdriver", ownImports: []string{core, author, optionTags, httpClient, module + "/internal/secrets"},
		never: []string{client, runtime, zap, grafana, sinks, module + "/config"},
	},
	{pkg: "driver/batcher", imports: []string{core, author, "golang.org/x/sync"}, never: []string{client, runtime, zap, grafana, sinks, module + "/config"}},
	{pkg: "auditing/sinktest", ownImports: []string{api, core, author}, never: []string{client, runtime, zap, grafana}},
	{pkg: "sinks/kube", ownImports: []string{api, core, author, eventJSON}, never: []string{zap, grafana}},
	{pkg: "sinks/log", ownImports: []string{api, core, author, optionTags, onDisk, module + "/internal/paths"}, never: []string{client, runtime, grafana}},
	{pkg: "sinks/loki", ownImports: []string{api, core, author, eventJSON, shared, requests, optionTags, text, httpClient, lokiNames, sinks + "/loki"}, never: []string{client, runtime, zap, grafana + "/loki-client-go", grafana + "/loki/v3"}},
	{pkg: "sinks/webhook", ownImports: []string{api, core, author, eventJSON, shared, requests, optionTags, httpClient}, never: []string{client, runtime, zap, grafana}},
	{pkg: "sinks/multi", imports: []string{api, core, author, optionTags, hooks}, never: []string{client, runtime, zap, grafana}},
	{
		pkg: "sinks/otlp", ownImports: []string{api, core, author, shared, requests, optionTags, httpClient, lokiNames},
		never: []string{client, runtime, zap, grafana, "go.opentelemetry.io", "google.golang.org/grpc"},
	},
	{pkg: "sinks/retry", ownImports: []string{api, core, author, shared, optionTags}, never: []string{client, runtime, zap, grafana}},
	{pkg: "sinks/route", ownImports: []string{api, core, author, shared, optionTags}, never: []string{client, runtime, zap, grafana}},
	{pkg: "sinks/spool", ownImports: []string{api, core, author, onDisk, recordLog, optionTags, hooks}, never: []string{client, runtime, zap, grafana}},
	{pkg: "sinks/flood", ownImports: []string{api, core, author, shared, optionTags}, never: []string{client, runtime, zap, grafana}},
	{pkg: "sinks/redact", ownImports: []string{api, core, author, eventJSON, text, optionTags}, never: []string{client, runtime, zap, grafana}},
	{pkg: "sinks/seal", ownImports: []string{api, core, author, shared, optionTags, hooks, module + "/internal/canonical", module + "/internal/trail"}, never: []string{client, runtime, zap, grafana}},
	{pkg: "sinks/seal/kubeseal", ownImports: []string{sinks + "/seal", optionTags, module + "/internal/trail"}, never: []string{zap, grafana}},
	{pkg: "reading", imports: []string{api, machinery, eventJSON, naming, text, onDisk, recordLog, "cel.dev/cel-go", "github.com/klauspost/compress"}, never: []string{runtime, zap, grafana, sinks, core, author}},
	{
		pkg: "reading/kubesource", ownImports: []string{api, readers, naming, optionTags, module + "/internal/secrets", module + "/internal/switching"},
		never: []string{runtime, zap, grafana, prometheus + "/prometheus", sinks, core, author},
	},
	{pkg: "reading/lokisource", ownImports: []string{api, readers, lokiNames, optionTags}, never: []string{client, runtime, zap, grafana, sinks, core, author}},
	{pkg: "reading/vlsource", ownImports: []string{api, readers, lokiNames, optionTags}, never: []string{client, runtime, zap, grafana, sinks, core, author}},
	{
		pkg: "reading/internal/logserver", ownImports: []string{readers, eventJSON, lokiNames, httpClient},
		never: []string{client, runtime, zap, grafana, sinks, core, author},
	},
	{
		pkg: "verify", imports: []string{api, readers, machinery, eventJSON, module + "/internal/canonical", module + "/internal/trail", text, "go.yaml.in/yaml/v3", "golang.org/x/mod", "github.com/go-jose/go-jose/v4"},
		never: []string{client, runtime, zap, grafana, prometheus, sinks, core, author},
	},
	{pkg: "internal/httpclient", ownImports: []string{optionTags, module + "/internal/secrets", module + "/internal/switching"}, never: []string{client, runtime, zap, grafana, api, core}},
	{pkg: "compat/auditing", imports: []string{api, core, sinks + "/kube"}, never: []string{zap, grafana, module + "/config"}},
	{pkg: "config", never: []string{sinks, client, runtime, zap, grafana}},
	{pkg: "config/builtin", never: []string{readers, "cel.dev/cel-go", "github.com/spf13/cobra"}},
	{
		pkg: "retention", ownImports: []string{api, core, author, hooks, onDisk, module + "/internal/stopping", module + "/internal/switching", module + "/internal/canonical", module + "/internal/trail", module + "/config"},
		never: []string{sinks, zap, grafana, runtime + "/pkg/manager"},
	},
	{pkg: "examples/egressproxy/proxy", imports: []string{api, core}, never: []string{client, runtime, zap, grafana, sinks, author, module + "/config", otelTrace}},
	{pkg: "examples/egressproxy/scenario", imports: []string{api, core, egress + "/proxy", sinks + "/log"}, never: []string{client, runtime, grafana}},
}

// The arrows between packages point one way: who wants only the log links no
// Kubernetes client, and no destination knows another.
func TestTheArrowsBetweenPackagesPointOneWay(t *testing.T) {
	for _, rule := range allArrows {
		t.Run(rule.pkg, func(t *testing.T) {
			all := dependencies(t, module+"/"+rule.pkg)
			for path, p := range all {
				if !p.Standard && below(path, rule.never) {
					t.Errorf("links %s", path)
				}
			}
			for _, path := range all[module+"/"+rule.pkg].Imports {
				switch {
				case all[path].Standard:
				case rule.imports != nil && !below(path, rule.imports):
					t.Errorf("imports %s, and may import only %v", path, rule.imports)
				case rule.ownImports != nil && below(path, []string{module}) && !below(path, rule.ownImports):
					t.Errorf("imports %s, and of this module may import only %v", path, rule.ownImports)
				}
			}
		})
	}
}

// linked is what go list says of every package that this module links, by path. The tests share it: each call of go
// list takes a good part of a second.
var linked = sync.OnceValues(func() (map[string]goPackage, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Standard,Imports", "./...")
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%v: %w", cmd, err)
	}
	all := map[string]goPackage{}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, fmt.Errorf("what %v prints: %w", cmd, err)
		}
		all[p.ImportPath] = p
	}
})

// packages returns every package that this module links, by path.
func packages(t *testing.T) map[string]goPackage {
	t.Helper()
	all, err := linked()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// dependencies returns every package that a program with pkg links, by path.
func dependencies(t *testing.T, pkg string) map[string]goPackage {
	t.Helper()
	all, found := packages(t), map[string]goPackage{}
	var add func(path string)
	add = func(path string) {
		p, ok := all[path]
		if !ok && path != "C" { // which stands for cgo, and is no package
			t.Fatalf("go list says nothing of %s", path)
		}
		if _, again := found[path]; again {
			return
		}
		found[path] = p
		for _, imported := range p.Imports {
			add(imported)
		}
	}
	add(pkg)
	return found
}

// below reports whether path is one of roots or stands below one.
func below(path string, roots []string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return path == root || strings.HasPrefix(path, root+"/")
	})
}

// A program chooses its destination. So no package of the library brings one along: only
// the one with the old names, where a program says KubeSink, and config/builtin, which has all.
func TestOnlyTheOldNamesBringTheAPIServersSink(t *testing.T) {
	mayImport := []string{oldNames, module + "/config/builtin", module + "/examples", module + "/internal/stagetest"}
	for path, p := range packages(t) {
		if slices.Contains(p.Imports, sinks+"/kube") && !below(path, mayImport) {
			t.Errorf("%s imports sinks/kube, and only %v may", path, mayImport)
		}
		if slices.Contains(p.Imports, oldNames) {
			t.Errorf("%s imports the old names, which are for programs that move", path)
		}
	}
}

// Who tries the demo first compiles all that it links. So it links the log and nothing
// beyond: no server that it might start, and no metrics endpoint.
func TestTheDemoLinksNoMoreThanTheShortestProgram(t *testing.T) {
	shortest := dependencies(t, module+"/examples/quickstart")
	for path, p := range dependencies(t, egress+"/demo") {
		if _, ok := shortest[path]; !ok && !p.Standard && !below(path, []string{egress}) {
			t.Errorf("examples/egressproxy/demo links %s, and examples/quickstart does not", path)
		}
	}
}

// What prepares and counts events has one door each: a destination that named or
// counted an event itself would do it a second time.
func TestOnlyTheCoreNamesAndCountsEvents(t *testing.T) {
	allowed := map[string][]string{
		naming:       {core, author, readers, readers + "/kubesource", module + "/internal/canonical"}, // the last three name nothing: they read times and select by labels
		eventMetrics: {core, author, module + "/config"},                                               // which tells of the kinds that cannot be registered
	}
	for path, p := range packages(t) {
		for internal, importers := range allowed {
			if slices.Contains(p.Imports, internal) && !slices.Contains(importers, path) {
				t.Errorf("%s imports %s, and only %v may", path, internal, importers)
			}
		}
	}
}
