// Command metricsdoc prints docs/metrics.md: every metric of this library, as a
// registry shows it.
//
//	go run ./internal/metricsdoc > docs/metrics.md
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
)

func main() {
	families, err := gather(context.Background())
	if err == nil {
		err = page(os.Stdout, families)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "metricsdoc:", err)
		os.Exit(1)
	}
}

const head = `# Metrics

Made from the code by ` + "`make generate`" + `. All names begin with ` + "`" + metricPrefix + "`" + `; whatever else a scrape
shows is of the program itself: the Go runtime, the process, controller-runtime, client-go. The alerts on them are in
[deploy/monitoring](../deploy/monitoring/rules.yaml), what to do about those in [runbook.md](runbook.md).

A histogram NAME is scraped as NAME_bucket, NAME_sum and NAME_count.
`

// sections are the parts of the page by what follows the common prefix; the last
// one takes the rest.
var sections = []struct{ prefix, title, text string }{
	{"", "Writes", "Of every sink and stage. Importing sinks/kube registers them with controller-runtime's registry; " +
		"others call `auditing.RegisterMetrics`.\n\nAn event counts once in `events_total`, where its chain begins, and once more in `write_failures_total` " +
		"when a destination failed, or in `invalid_events_total` when no destination could have stored it. `writes_total` counts every part of a chain: of one event that a retry tried three times, " +
		"one write of retry and three of the sink behind it."},
	{"config_", "Configuration", "Of trails opened with package config: `config.Deps.Registerer`."},
	{"route_", "Routes", "Of stages of sinks/route: `Options.Registerer`, which package config sets. " +
		"The label route is the name of the stage in the configuration, or its chain."},
	{"flood_", "Flood control", "Of stages of sinks/flood: `Options.Registerer`, which package config sets. " +
		"The label flood is the name of the stage in the configuration, or the chain behind it."},
	{"seal_", "Seals", "Of stages of sinks/seal, in the same way, with the label seal."},
	{"retry_", "Retry", "Of stages of sinks/retry, in the same way."},
	{"spool_", "Spool", "Of stages of sinks/spool, in the same way."},
	{"loki_", "Loki", "Of sinks/loki: `Options.Registerer`, which package config sets. All sinks of a program count together."},
	{"webhook_", "Webhooks", "Of sinks/webhook, in the same way."},
	{"otlp_", "OTLP", "Of sinks/otlp, in the same way."},
	{"reaper_", "Reaper", "Of package retention, in audit-reaper or in a manager of yours: `retention.Options.Registerer`. " +
		"audit-reaper shows those of its archive beside them."},
}

// page writes the page, or says which metric has no place on it.
func page(w io.Writer, families []family) error {
	text := &strings.Builder{}
	text.WriteString(head)
	for i, s := range sections {
		fmt.Fprintf(text, "\n## %s\n\n%s\n\n| metric | type | labels | what it says |\n| --- | --- | --- | --- |\n", s.title, s.text)
		for _, f := range families {
			if sectionOf(f.name) != i {
				continue
			}
			text.WriteString(f.row())
		}
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// row is a line of a table.
func (f family) row() string {
	return fmt.Sprintf("| %#q | %s | %s | %s |\n", f.name, f.kind, strings.Join(f.labels, ", "), f.help)
}

// sectionOf returns the index of the section whose prefix a name has; 0 for none.
func sectionOf(name string) int {
	rest := strings.TrimPrefix(name, metricPrefix)
	for i, s := range sections {
		if i > 0 && strings.HasPrefix(rest, s.prefix) {
			return i
		}
	}
	return 0
}
