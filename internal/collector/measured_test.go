package collector_test

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/collector"
	"github.com/paddock-dev/audit/internal/testenv"
)

var update = flag.Bool("update", false, "write the table in docs/operations.md and the golden files")

// deadline bounds each wait of a test.
const deadline = 30 * time.Second

// row is a configuration of the collector.
type row struct {
	name       string
	queue      string // sending_queue; "" for none in the file
	extensions string // "" for none
	processors string // "" for none
	endless    bool   // it tries again without a limit
	worth      collector.Worth
	power      bool // a power loss loses, which no test measures
}

const (
	synced   = "{file_storage: {directory: DATA-FOLDER, fsync: true}}"
	unsynced = "{file_storage: {directory: DATA-FOLDER}}"
	onDisk   = "{storage: file_storage, num_consumers: 1}" // one consumer keeps the order of events
	batching = "{batch: {timeout: HELD, send_batch_size: 2}}"
)

var rows = []row{
	{name: "the default: a queue in memory", worth: collector.Accepted},
	{name: "processor `batch`, no queue", queue: "{enabled: false}", processors: batching, worth: collector.Accepted},
	{name: "processor `batch`, queue on disk with `fsync`", queue: onDisk, extensions: synced, processors: batching, worth: collector.Accepted},
	{name: "queue on disk", queue: onDisk, extensions: unsynced, worth: collector.Accepted, power: true},
	{name: "queue on disk with `fsync`", queue: onDisk, extensions: synced, worth: collector.Durable},
	{name: "the same, `max_elapsed_time: 0s`", queue: onDisk, extensions: synced, endless: true, worth: collector.Durable},
	{name: "`sending_queue: {enabled: false}`", queue: "{enabled: false}", worth: collector.Acknowledged},
	{name: "`wait_for_result: true`", queue: "{wait_for_result: true}", worth: collector.Acknowledged},
}

// config returns the configuration of a row whose exporter tries again for as long as limit says. Its processor batch holds
// a single event for as long as held says.
func (r row) config(url, limit, held string) string {
	if r.endless {
		limit = "0s"
	}
	exporter := fmt.Sprintf("{endpoint: %s, encoding: json, compression: none, retry_on_failure: {initial_interval: 10ms, max_interval: 20ms, max_elapsed_time: %s}", url, limit)
	if r.queue != "" {
		exporter += ", sending_queue: " + r.queue
	}
	text := "receivers: {otlp: {protocols: {http: {endpoint: OTLP-ADDRESS}}}}\nexporters: {otlp_http: " + exporter + "}}\n"
	pipeline := "receivers: [otlp], exporters: [otlp_http]"
	service := ""
	if r.processors != "" {
		text += "processors: " + strings.Replace(r.processors, "HELD", held, 1) + "\n"
		pipeline += ", processors: [batch]"
	}
	if r.extensions != "" {
		text += "extensions: " + r.extensions + "\n"
		service = "extensions: [file_storage], "
	}
	return text + "service: {" + service + "pipelines: {logs: {" + pipeline + "}}}\n"
}

// outcome is what became of an event.
type outcome string

const (
	kept        outcome = "kept"
	lost        outcome = "**lost**"
	unconfirmed outcome = "no 200"
)

// trial is a failure that follows a request.
type trial struct {
	cause  collector.Cause
	column string
	mode   answer
	limit  string // of the retries
	held   string // how long a batch holds a single event
	// fail returns when the failure has done what it does.
	fail func(t *testing.T, c *testenv.OTelCol, b *backend)
}

var trials = []trial{
	{collector.Kill, "`kill -9` after the 200", away, "1h", "1h", func(t *testing.T, c *testenv.OTelCol, b *backend) {
		must(t, c.Kill())
		b.answers(healthy)
		must(t, c.Restart(t.Context()))
	}},
	{collector.Refused, "the backend refuses with 400", refusing, "1h", "10ms", func(t *testing.T, c *testenv.OTelCol, b *backend) {
		eventually(t, "the refusal", func() bool { return b.wasSent(event) > 0 })
	}},
	{collector.RetryLimit, "it is away past the retry limit", away, "100ms", "10ms", func(t *testing.T, c *testenv.OTelCol, b *backend) {
		eventually(t, "the end of the retries", func() bool {
			return strings.Contains(c.Printed(), "no more retries left") || b.wasSent(event) > 30
		})
	}},
	{collector.PartialSuccess, "it rejects in a `partial_success`", rejecting, "1h", "10ms", func(t *testing.T, c *testenv.OTelCol, b *backend) {
		eventually(t, "the rejection", func() bool { return b.wasSent(event) > 0 })
	}},
}

// event is sent before the failure, and marker after it. The marker is not sent before the event was dealt with.
const (
	event  = "the event"
	marker = "the marker"
)

func TestCheckSaysWhatARealCollectorDoes(t *testing.T) {
	table := [][]string{{"the collector's configuration", "the level of its 200"}}
	for _, tr := range trials {
		table[0] = append(table[0], tr.column)
	}
	for _, r := range rows {
		line := []string{r.name, r.worth.String()}
		for _, tr := range trials {
			measured := unconfirmed
			t.Run(r.name+"/"+string(tr.cause), func(t *testing.T) { measured = r.compare(t, tr) })
			line = append(line, string(measured))
		}
		table = append(table, line)
	}
	if !t.Failed() {
		compareTable(t, "../../docs/operations.md", table)
	}
}

// compare makes a trial, compares what it shows with what the package says of the same file, and returns it.
func (r row) compare(t *testing.T, tr trial) outcome {
	b := newBackend(t)
	b.answers(tr.mode)
	c := testenv.NewOTelCol(t, r.config(b.URL, tr.limit, tr.held))
	text, err := os.ReadFile(c.ConfigFile())
	must(t, err)
	report, err := collector.Parse("otelcol.yaml", text, func(string) string { return "" })
	must(t, err)
	p := report.Pipelines[0]
	if len(report.Pipelines) != 1 || len(p.Ways) != 1 || p.Worth != r.worth || p.Ways[0].Worth != r.worth {
		t.Fatalf("it says %+v, want %s", report, r.worth)
	}
	says := func(cause collector.Cause) bool {
		return slices.ContainsFunc(p.Ways[0].Losses, func(l collector.Loss) bool { return l.Cause == cause })
	}
	if says(collector.Power) != r.power {
		t.Errorf("of a power loss it says %t", says(collector.Power))
	}
	measured := try(t, tr, c, b)
	if says(tr.cause) != (measured == lost) {
		t.Errorf("measured: %s, and it says %+v; the collector printed\n%s", measured, p.Ways[0].Losses, c.Printed())
	}
	return measured
}

// try sends an event, lets the failure happen, and looks for the event once the backend is healthy.
func try(t *testing.T, tr trial, c *testenv.OTelCol, b *backend) outcome {
	// Without an answer the sender knows that nothing is confirmed. A collector without a queue tries again for as long.
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if code, _ := post(ctx, c.URL, event); code != http.StatusOK {
		return unconfirmed
	}
	tr.fail(t, c, b)
	b.answers(healthy)
	code, err := post(t.Context(), c.URL, marker, "a second one, which fills a batch")
	if err != nil || code != http.StatusOK {
		t.Fatalf("after the failure: %d, %v", code, err)
	}
	eventually(t, "the marker", func() bool { return b.has(marker) })
	if b.has(event) {
		return kept
	}
	return lost
}

// post sends events to a collector and returns the status of its answer.
func post(ctx context.Context, url string, events ...string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/logs", strings.NewReader(request(events...)))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(deadline); !holds(); {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("no sign of %s within %s", what, deadline)
		}
	}
}
