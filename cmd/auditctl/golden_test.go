package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/sinks/spool"
)

var update = flag.Bool("update", false, "write the golden files")

// goldenCase is a command whose output is in testdata/NAME.txt: as a terminal of each width
// gets it, or a pipe, which has the width 0.
type goldenCase struct {
	name   string
	args   string
	widths []int
	code   int
}

var (
	terminals = []int{80, 200}
	pipe      = []int{0}
	anywhere  = []int{80, 200, 0}
)

var goldenCases = []goldenCase{
	{"get", "get audit.log", anywhere, 0},
	{"get-wide", "get -o wide audit.log", anywhere, 0},
	{"get-json", "get -o json --last 1 audit.log", pipe, 0},
	{"get-ndjson", "get -o ndjson --limit 2 audit.log", pipe, 0},
	{"get-csv", "get -o csv audit.log", pipe, 0},
	{"get-yaml", "get -o yaml --limit 2 audit.log", pipe, 0},
	{"get-relative", "get --time relative --limit 3 audit.log", terminals, 0},
	{"get-exact", "get --time exact --utc --limit 3 audit.log", terminals, 0},
	{"get-colour", "get --color always --no-headers audit.log", terminals, 0},
	{"get-denied", "get --since 30m --decision denied -n team-b --where event.spec.destination.port==22 audit.log", anywhere, 0},
	{"get-none", "get --run nobody audit.log", anywhere, 0},
	{"get-none-json", "get --run nobody -o json audit.log", pipe, 0},
	{"get-foreign", "get --limit 1 mixed.log", terminals, 0},
	{"get-failing", "get audit.log none.log", terminals, 3},
	{"logs", "logs audit.log", anywhere, 0},
	{"count", "count audit.log", anywhere, 0},
	{"count-every", "count --by decision --every 5m audit.log", anywhere, 0},
	{"count-json", "count --by namespace,decision -o json audit.log", pipe, 0},
	{"count-csv", "count --every 10m -o csv audit.log", pipe, 0},
	{"count-none", "count --run nobody audit.log", terminals, 0},
	{"count-failing", "count audit.log none.log", terminals, 3},
	{"show", "show ae-proxy-0005 audit.log copy.log", anywhere, 0},
	{"show-differs", "show ae-proxy-0065 audit.log lake.log", terminals, 1},
	{"show-missing", "show ae-broker-0000 audit.log lake.log", terminals, 1},
	{"show-none", "show ae-nobody audit.log lake.log", terminals, 1},
	{"show-failing", "show ae-proxy-0005 audit.log none.log", terminals, 3},
	{"show-json", "show -o json ae-proxy-0065 audit.log lake.log", pipe, 1},
	{"show-csv", "show -o csv ae-proxy-0065 audit.log lake.log", pipe, 1},
	{"diff", "diff audit.log lake.log", anywhere, 1},
	{"diff-wide", "diff -o wide audit.log lake.log", terminals, 1},
	{"diff-csv", "diff -o csv audit.log lake.log", pipe, 1},
	{"diff-json", "diff -o json audit.log lake.log --kind egress-allow", pipe, 1},
	{"diff-pending", "diff audit.log lake.log --kind egress-allow --pending 1h", terminals, 0},
	{"diff-same", "diff audit.log copy.log", terminals, 0},
	{"diff-failing", "diff audit.log none.log", terminals, 3},
	{"config-get", "get --config audit.yaml", anywhere, 0},
	{"config-get-from", "get --config audit.yaml --from queue -o wide --utc --limit 3", terminals, 0},
	{"config-get-files", "get --config audit.yaml --from lake -o wide --limit 1 copy.log", pipe, 0},
	{"config-get-failing", "get --config away.yaml --limit 1", terminals, 3},
	{"config-get-stream", "get --config audit.yaml --from disk,screen", terminals, 2},
	{"config-get-unknown", "get --config audit.yaml --from lakes", terminals, 2},
	{"config-get-bad", "get --config bad.yaml", terminals, 2},
	{"config-count", "count --config audit.yaml --by decision", terminals, 0},
	{"config-show", "show ae-proxy-0005 --config audit.yaml", terminals, 0},
	{"config-show-missing", "show ae-broker-0000 --config audit.yaml", terminals, 1},
	{"config-diff", "diff --config audit.yaml disk lake", anywhere, 1},
	{"config-diff-all", "diff --config audit.yaml -o csv", pipe, 1},
	{"config-diff-same", "diff --config audit.yaml disk ./copy.log", terminals, 0},
	{"config-export", "export --config audit.yaml --from lake --limit 1", pipe, 0},
	{"spool-list", "spool list spool", anywhere, 0},
	{"spool-list-wide", "spool list -o wide --utc spool", terminals, 0},
	{"spool-list-csv", "spool list -o csv spool", pipe, 0},
	{"spool-stats", "spool stats spool", anywhere, 0},
	{"check", "check good.yaml", terminals, 0},
	{"check-bad", "check good.yaml bad.yaml", terminals, 1},
	{"collector", "check-collector collector.yaml", pipe, 1},
	{"collector-json", "check-collector -o json durable.yaml", pipe, 0},
	{"collector-durable", "check-collector durable.yaml", pipe, 0},
	{"collector-bad", "check-collector misspelt.yaml", pipe, 1},
	{"collector-bad-json", "check-collector -o json misspelt.yaml", pipe, 1},
	{"export", "export --limit 1 audit.log", pipe, 0},
	{"export-csv", "export -o csv --limit 1 audit.log", pipe, 0},
	{"hostile", "get hostile.log", anywhere, 0},
	{"hostile-wide", "get -o wide hostile.log", pipe, 0},
	{"hostile-csv", "get -o csv hostile.log", pipe, 0},
	{"hostile-json", "get -o json --limit 1 hostile.log", pipe, 0},
	{"hostile-ndjson", "get -o ndjson hostile.log", pipe, 0},
	{"hostile-yaml", "get -o yaml hostile.log", pipe, 0},
	{"hostile-logs", "logs hostile.log", terminals, 0},
	{"hostile-count", "count --by run,target hostile.log", anywhere, 0},
	{"hostile-show", "show ae-proxy-0000 hostile.log", terminals, 0},
}

func TestCommandsPrintTheirGoldenFiles(t *testing.T) {
	golden, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	inTrail(t)
	for _, c := range goldenCases {
		t.Run(c.name, func(t *testing.T) {
			var got strings.Builder
			for _, width := range c.widths {
				env := &environment{terminal: width > 0, width: width, now: func() time.Time { return noon.Add(25 * time.Minute) }}
				code, out, errOut := auditctlIn(t, env, strings.Fields(c.args)...)
				if code != c.code {
					t.Errorf("width %d: exit %d, want %d: %s", width, code, c.code, errOut)
				}
				place := "a pipe"
				if width > 0 {
					place = fmt.Sprintf("a terminal of %d columns", width)
				}
				fmt.Fprintf(&got, "$ auditctl %s  # in %s\n%s", c.args, place, out)
				if errOut != "" {
					fmt.Fprintf(&got, "--- on stderr, exit %d\n%s", code, errOut)
				}
				if width > 0 && !strings.Contains(c.args, "wide") && !strings.HasPrefix(c.args, "show") {
					fits(t, out, width)
				}
			}
			compare(t, filepath.Join(golden, c.name+".txt"), got.String())
		})
	}
}

// configuration has sinks that need no server.
const configuration = `sinks:
  all:    {type: multi, next: [disk, queue, screen]}
  disk:   {type: log, path: audit.log}
  queue:  {type: spool, dir: spool, next: again}
  again:  {type: retry, next: lake}
  lake:   {type: log, path: lake.log, fsync: true}
  screen: {type: log, path: stderr}
components:
  broker: {sink: all, onFailure: open}
`

// unreachable is a configuration with two sinks of note: the kubeconfig of one is missing,
// and no component uses the other.
const unreachable = `sinks:
  all:  {type: multi, next: [disk, away]}
  disk: {type: log, path: audit.log}
  away: {type: kube, kubeconfig: none.kubeconfig}
  old:  {type: log, path: none.log}
components:
  broker: {sink: all, onFailure: open}
`

// inTrail makes the files of the golden tests the working directory.
func inTrail(t *testing.T) {
	t.Chdir(t.TempDir())
	all := trail(t)
	write(t, "audit.log", lines(all...))
	write(t, "copy.log", lines(all...))
	other := all[2].DeepCopy()
	other.Spec.Destination.Port = 23
	write(t, "lake.log", lines(all[1], other, all[3], all[4]))
	write(t, "hostile.log", lines(hostile(t)...))
	header := "apiVersion: audit.paddock.dev/v1alpha1\nkind: AuditConfiguration\n"
	write(t, "good.yaml", header+"sinks:\n  a: {type: log, path: audit.log, fsync: true}\ncomponents:\n  broker: {sink: a, timeout: 3s}\n")
	write(t, "bad.yaml", header+"sinks:\n  a: {type: lok}\ncomponents:\n  broker: {sink: b}\n")
	write(t, "audit.yaml", header+configuration)
	write(t, "away.yaml", header+unreachable)
	write(t, "collector.yaml", collectorConfig)
	write(t, "durable.yaml", durableCollector)
	write(t, "memory.yaml", strings.Replace(durableCollector, "    sending_queue: {storage: file_storage}\n", "", 1))
	write(t, "misspelt.yaml", strings.NewReplacer("storage: file_storage", "storag: file_storage", "[otlp_http]", "[otlp_http, otlp_htp]").Replace(durableCollector))
	for _, dir := range []string{"dead", "requeue", "damaged"} {
		if err := os.MkdirAll(filepath.Join("spool", dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for i, ae := range all[1:3] {
		text, err := json.Marshal(spool.DeadLetter{
			Reason: "the lake refuses it:\x1b[2J 400", Sink: "loki", StoredAt: noon, RefusedAt: noon.Add(time.Minute), Event: *ae,
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, fmt.Sprintf("spool/dead/0000000000000000000%d-1.json", i), string(text))
	}
	write(t, "mixed.log", "starting\n"+lines(all[0])+"{\"level\":\"info\"}\n")
}

// compare compares a text with a golden file.
func compare(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != got {
		t.Errorf("%v: it prints\n%s\nwant\n%s", err, got, want)
	}
}

// fits reports the lines of a table that a terminal would break.
func fits(t *testing.T, out string, width int) {
	t.Helper()
	for line := range strings.Lines(colours.ReplaceAllString(out, "")) {
		columns := 0
		for _, r := range strings.TrimSuffix(line, "\n") {
			if columns++; r >= 0x3000 { // Japanese is two columns wide
				columns++
			}
		}
		if columns > width {
			t.Errorf("a line of %d columns in a terminal of %d: %s", columns, width, line)
		}
	}
}

var colours = regexp.MustCompile("\x1b\\[[0-9]*m")
