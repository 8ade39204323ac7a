package loki_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

// century is how long the shared VictoriaLogs keeps rows.
const century = 100 * 365 * 24 * time.Hour

// toVictoriaLogs are the options of a sink to the shared VictoriaLogs.
func toVictoriaLogs(service string) loki.Options {
	return loki.Options{Server: loki.ServerVictoriaLogs, ServiceName: service, Oldest: century}
}

// rows reads all rows of a service from a VictoriaLogs, of any time.
func rows(tb testing.TB, v *testenv.VictoriaLogs, tenant, service string) []testenv.Row {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	found, err := v.Query(ctx, tenant, fmt.Sprintf("{service_name=%q}", service), time.Now().Add(-century), time.Now().Add(48*time.Hour))
	if err != nil {
		tb.Fatal(err)
	}
	return found
}

// eachOnce fails the test unless the rows are these events, each once, in the order of
// their times.
func eachOnce(tb testing.TB, found []testenv.Row, events []*v1alpha1.AuditEvent) {
	tb.Helper()
	events = slices.Clone(events)
	slices.SortFunc(events, func(a, b *v1alpha1.AuditEvent) int {
		if c := auditing.EventTime(a).Compare(auditing.EventTime(b)); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	if len(found) != len(events) {
		tb.Fatalf("VictoriaLogs holds %d rows, want %d", len(found), len(events))
	}
	for i, row := range found {
		want := events[i]
		if row.Fields["event"] != want.Name || !row.Time.Equal(auditing.EventTime(want)) {
			tb.Fatalf("row %d is %s of %s, want %s of %s", i, row.Fields["event"], row.Time, want.Name, auditing.EventTime(want))
		}
		if line := string(eventjson.Append(nil, want)); row.Line != line {
			tb.Fatalf("row %d has the line\n%.2000s\nwant\n%.2000s", i, row.Line, line)
		}
	}
}

func TestConformanceWithVictoriaLogs(t *testing.T) {
	for _, level := range []auditing.Level{auditing.LevelAccepted, auditing.LevelAcknowledged} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			sinktest.Run(t, victoriaLogsHarness(t, level))
		})
	}
}

func victoriaLogsHarness(t *testing.T, level auditing.Level) sinktest.Harness {
	v := testenv.SharedVictoriaLogs(t)
	grown(t, v)
	service := "conformance-" + level.String()
	opts := toVictoriaLogs(service)
	opts.Level = level
	// Other tests check with a killed server that the wait is long enough.
	newSink := func(address string, opts loki.Options) (*loki.Sink, error) {
		sink, err := loki.New(address, opts)
		if err == nil && level == auditing.LevelAcknowledged {
			loki.ReachDiskIn(sink, 50*time.Millisecond)
		}
		return sink, err
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	return sinktest.Harness{
		Namespace: namespace(),
		New: func(context.Context) (sinktest.Subject, error) {
			sink, err := newSink(v.URL, opts)
			return sinktest.Subject{
				Sink:    sink,
				Stored:  func(ctx context.Context) ([]v1alpha1.AuditEvent, error) { return folded(ctx, v, service) },
				Again:   func(context.Context) (auditing.Sink, error) { return newSink(v.URL, opts) },
				Release: http.DefaultTransport.(*http.Transport).CloseIdleConnections, //nolint:forcetypeassert // of testenv's queries
			}, err
		},
		Failing: func(context.Context) (sinktest.Fault, error) {
			sink, err := newSink(closed.URL, opts)
			return sinktest.Fault{Sink: sink, Caused: func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }}, err
		},
		Hanging: func(context.Context) (sinktest.Fault, error) {
			return hanging(func(address string) (*loki.Sink, error) { return newSink(address, opts) })
		},
	}
}

// grown waits until a server has run for longer than it caches its metrics. Before that,
// a server that has just been restarted looks the same.
func grown(tb testing.TB, v *testenv.VictoriaLogs) {
	tb.Helper()
	eventually(tb, func() bool {
		text, err := v.Metrics(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		return !regexp.MustCompile(`(?m)^vm_app_uptime_seconds [0-2]$`).MatchString(text)
	})
}

// folded reads the events of a service as readers do. It returns one event for rows that
// are equal.
func folded(ctx context.Context, v *testenv.VictoriaLogs, service string) ([]v1alpha1.AuditEvent, error) {
	found, err := v.Query(ctx, "", fmt.Sprintf("{service_name=%q}", service), time.Now().Add(-century), time.Now().Add(48*time.Hour))
	if err != nil {
		return nil, err
	}
	var events []v1alpha1.AuditEvent
	seen := map[string]bool{}
	for _, row := range found {
		if seen[row.Line] {
			continue
		}
		seen[row.Line] = true
		var ae v1alpha1.AuditEvent
		if err := json.Unmarshal([]byte(row.Line), &ae); err != nil {
			return nil, fmt.Errorf("a line that is no event: %w", err)
		}
		events = append(events, ae)
	}
	return events, nil
}

func TestVictoriaLogsHoldsTwentyThousandEventsOnceEach(t *testing.T) {
	for _, writers := range []int{1024, 1} {
		t.Run(fmt.Sprintf("from %d writers", writers), func(t *testing.T) {
			t.Parallel()
			v := testenv.SharedVictoriaLogs(t)
			service := fmt.Sprintf("once-%d", writers)
			sink := open(t, v.URL, toVictoriaLogs(service))
			events := writeTwentyThousand(t, sink, namespace(), writers)
			eachOnce(t, rows(t, v, "", service), events)
		})
	}
}

func TestVictoriaLogsKeepsHostileTextWhole(t *testing.T) {
	t.Parallel()
	v := testenv.SharedVictoriaLogs(t)
	opts := toVictoriaLogs(`a "quoted" \service`)
	opts.Labels = map[string]string{"newline": "one\ntwo\r\tthree", "broken": "a\xff\xfeb", "braces": `}, x="y"`, "wide": "räksmörgås 😀 \u2028"}
	sink := open(t, v.URL, opts)
	ns := namespace()
	texts := []string{
		`{"kind":"forged","decision":"granted","_msg":"forged"}`, "line one\nline two\r\n", "\x00\x01\x1b[31m", "nul \x00 in the middle",
		`_time:2020-01-01T00:00:00Z _stream:{a="b"} "quoted" \ back`, strings.Repeat("wide 😀 ", 100), "a\uFFFDb",
	}
	var events []*v1alpha1.AuditEvent
	for _, text := range texts {
		ae := event(ns, text)
		ae.Spec.RunRef.Name = "run \"x\"\n\\ ü"
		ae.Spec.Detail = map[string]string{"kind": text, "event": text, "_time": text}
		events = append(events, ae)
	}
	mustWriteAll(t, sink, events...)
	found := rows(t, v, "", opts.ServiceName)
	eachOnce(t, found, events)
	for name, want := range map[string]string{
		"newline": "one\ntwo\r\tthree", "broken": "a?b", "braces": `}, x="y"`, "wide": "räksmörgås 😀 \u2028",
		"kind": "egress-block", "decision": "denied", "run": "run \"x\"\n\\ ü", "namespace": ns,
	} {
		for _, row := range found {
			if got := row.Fields[name]; got != want {
				t.Errorf("field %s is %q, want %q", name, got, want)
			}
		}
	}
}

func TestVictoriaLogsTenantsAreKeptApart(t *testing.T) {
	t.Parallel()
	v := testenv.SharedVictoriaLogs(t)
	const service = "tenants"
	written := map[string][]*v1alpha1.AuditEvent{}
	for _, tenant := range []string{"", "7", "7:8"} {
		opts := toVictoriaLogs(service)
		opts.TenantID = tenant
		sink := open(t, v.URL, opts)
		if err := sink.Check(shortly(t)); err != nil {
			t.Error(err)
		}
		ae := event(namespace(), "of "+tenant)
		mustWriteAll(t, sink, ae)
		written[tenant] = []*v1alpha1.AuditEvent{ae}
	}
	for tenant, events := range written {
		eachOnce(t, rows(t, v, tenant, service), events)
	}
}

func TestVictoriaLogsStoresARepeatTwice(t *testing.T) {
	t.Parallel()
	v := testenv.SharedVictoriaLogs(t)
	const service = "repeats"
	sink := open(t, v.URL, toVictoriaLogs(service))
	ae := event(namespace(), "twice")
	mustWriteAll(t, sink, ae)
	mustWriteAll(t, sink, ae)
	if n := len(rows(t, v, "", service)); n != 2 {
		t.Errorf("VictoriaLogs holds %d rows, want 2: see the documentation of ServerVictoriaLogs", n)
	}
	events, err := folded(shortly(t), v, service)
	if err != nil || len(events) != 1 {
		t.Errorf("readers see %d events, want 1: %v", len(events), err)
	}
}

func TestVictoriaLogsIsPushedToWithSnappy(t *testing.T) {
	t.Parallel()
	v := testenv.SharedVictoriaLogs(t)
	const service = "snappy"
	encodings := make(chan string, 10)
	front := proxyTo(t, v.URL, func(r *http.Request) { encodings <- r.Header.Get("Content-Encoding") + " " + r.URL.RawQuery })
	sink := open(t, front, toVictoriaLogs(service))
	ae := large(namespace(), 60_000)
	mustWriteAll(t, sink, ae)
	if got := <-encodings; got != "snappy disable_message_parsing=1" {
		t.Errorf("the push has %q", got)
	}
	eachOnce(t, rows(t, v, "", service), []*v1alpha1.AuditEvent{ae})
}

// proxyTo puts a proxy in front of a server. The proxy calls a function with every request.
func proxyTo(tb testing.TB, server string, look func(*http.Request)) string {
	tb.Helper()
	return before(tb, &testenv.Loki{URL: server}, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		look(r)
		next.ServeHTTP(w, r)
	})
}
