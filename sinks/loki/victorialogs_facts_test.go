package loki_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

// pushJSON pushes one entry to a VictoriaLogs without the sink, and returns the status of
// the answer.
func pushJSON(tb testing.TB, v *testenv.VictoriaLogs, query, service string, at time.Time, line string, metadata map[string]string) int {
	tb.Helper()
	if metadata == nil {
		metadata = map[string]string{}
	}
	body, err := json.Marshal(map[string]any{"streams": []any{map[string]any{
		"stream": map[string]string{"service_name": service},
		"values": []any{[]any{strconv.FormatInt(at.UnixNano(), 10), line, metadata}},
	}}})
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.Post(v.URL+"/insert/loki/api/v1/push"+query, "application/json", bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}

// dropped returns vl_rows_dropped_total with that reason.
func dropped(tb testing.TB, v *testenv.VictoriaLogs, reason string) int {
	tb.Helper()
	text, err := v.Metrics(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	m := regexp.MustCompile(`vl_rows_dropped_total\{reason="` + reason + `"\} (\d+)`).FindStringSubmatch(text)
	if m == nil {
		tb.Fatalf("the server has no count of rows dropped for %s", reason)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		tb.Fatal(err)
	}
	return n
}

// This is what ServerVictoriaLogs and docs/adr/0021 say about a 204 of VictoriaLogs.
func TestVictoriaLogsConfirmsWhatItDrops(t *testing.T) {
	t.Parallel()
	v := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{})
	many := map[string]string{}
	for i := range 1001 {
		many[fmt.Sprintf("field_%d", i)] = "x"
	}
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		age      time.Duration
		line     string
		metadata map[string]string
		reason   string // under which the server counts the dropped row; "" when it counts none
		stored   int
	}{
		"a plain row":                       {line: "x", stored: 1},
		"a row of 8 days and an hour ago":   {age: 8*day + time.Hour, line: "x", reason: "too_small_timestamp"},
		"a row of 3 days and an hour ahead": {age: -3*day - time.Hour, line: "x", reason: "too_big_timestamp"},
		"a row of 1,002 fields":             {line: "x", metadata: many, reason: "too_many_fields"},
		"a name of 129 bytes":               {line: "x", metadata: map[string]string{strings.Repeat("n", 129): "x"}},
		"a line over 2 MB":                  {line: strings.Repeat("x", 2<<20+1)},
		"a line of 1 MB":                    {line: strings.Repeat("x", 1<<20), stored: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := strings.ReplaceAll(name, " ", "-")
			before := 0
			if c.reason != "" {
				before = dropped(t, v, c.reason)
			}
			if status := pushJSON(t, v, "", service, time.Now().Add(-c.age), c.line, c.metadata); status != http.StatusNoContent {
				t.Errorf("the server answers %d, want 204", status)
			}
			if n := len(rows(t, v, "", service)); n != c.stored {
				t.Errorf("the server holds %d rows, want %d", n, c.stored)
			}
			if c.reason != "" { // the server caches its metrics for about a second
				eventually(t, func() bool { return dropped(t, v, c.reason) > before })
			}
		})
	}
}

func TestVictoriaLogsParsesAJSONLineUnlessToldNotTo(t *testing.T) {
	t.Parallel()
	v := testenv.SharedVictoriaLogs(t)
	const line = `{"kind":"of the line","spec":{"reason":"why"}}`
	metadata := map[string]string{"kind": "of the metadata"}
	pushJSON(t, v, "", "apart", time.Now(), line, metadata)
	pushJSON(t, v, "?disable_message_parsing=1", "whole", time.Now(), line, metadata)
	apart, whole := rows(t, v, "", "apart"), rows(t, v, "", "whole")
	if len(apart) != 1 || apart[0].Line == line || apart[0].Fields["kind"] == "of the metadata" || apart[0].Fields["spec.reason"] != "why" {
		t.Errorf("by default the row is %v", apart)
	}
	if len(whole) != 1 || whole[0].Line != line || whole[0].Fields["kind"] != "of the metadata" || whole[0].Fields["spec.reason"] != "" {
		t.Errorf("told to leave the line whole, the row is %v", whole)
	}
}

func TestWriteRefusesWhatVictoriaLogsWouldDrop(t *testing.T) {
	t.Parallel()
	v := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{})
	sink := open(t, v.URL, loki.Options{Server: loki.ServerVictoriaLogs, ServiceName: "window"})
	ns := namespace()
	const day = 24 * time.Hour
	now := time.Now()
	for _, c := range []struct {
		when time.Time
		say  string // part of the error; "" for no error
	}{
		{when: now.Add(-7*day - time.Second), say: "Options.Oldest"},
		{when: now.Add(-7*day + 30*time.Second), say: "Options.Oldest"}, // within the margin
		{when: now.Add(-7*day + 2*time.Minute)},
		{when: now},
		{when: now.Add(2*day - 2*time.Minute)},
		{when: now.Add(2*day - 30*time.Second), say: "Options.Newest"},
		{when: now.Add(2*day + time.Minute), say: "Options.Newest"},
		{when: now.AddDate(-2000, 0, 0), say: "Options.Oldest"},
		{when: now.AddDate(2000, 0, 0), say: "Options.Newest"},
	} {
		err := sink.Write(shortly(t), eventAt(ns, "x", c.when))
		if c.say == "" {
			if err != nil {
				t.Errorf("an event of %s: %v", c.when, err)
			}
			continue
		}
		contains(t, mustFail(t, err, auditing.ClassPermanent).Error(), "not sent", c.say)
	}
	if n := len(rows(t, v, "", "window")); n != 3 {
		t.Errorf("VictoriaLogs holds %d rows, want the 3 that were confirmed", n)
	}
	if n := dropped(t, v, "too_small_timestamp") + dropped(t, v, "too_big_timestamp"); n != 0 {
		t.Errorf("VictoriaLogs has dropped %d rows, want none to have been sent", n)
	}
}

func TestCheckFindsWhatVictoriaLogsWouldDrop(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		flags []string
		opts  loki.Options
		say   []string // nil for no error
	}{
		"the defaults of both":   {},
		"a shorter retention":    {flags: []string{"-retentionPeriod=2d"}, say: []string{"Options.Oldest is 168h0m0s", "48h0m0s", "-retentionPeriod"}},
		"a retention of months":  {flags: []string{"-retentionPeriod=1"}, opts: loki.Options{Oldest: 31 * day}},
		"an option that is more": {opts: loki.Options{Oldest: 8 * day, Newest: 3 * day}, say: []string{"Options.Oldest", "Options.Newest is 72h0m0s", "-futureRetention"}},
		"a bound on backfilling": {flags: []string{"-maxBackfillAge=1h"}, say: []string{"Options.Oldest", "1h0m0s", "-maxBackfillAge"}},
		"a disk that is full":    {flags: []string{"-storage.minFreeDiskSpaceBytes=1000TB"}, say: []string{"disk is full", "vl_storage_is_read_only"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{Flags: c.flags})
			c.opts.Server = loki.ServerVictoriaLogs
			err := open(t, v.URL, c.opts).Check(shortly(t))
			if (err == nil) != (c.say == nil) {
				t.Fatalf("Check: %v", err)
			}
			if err != nil {
				contains(t, err.Error(), c.say...)
			}
		})
	}
}

func TestCheckRefusesOtherServersAsVictoriaLogs(t *testing.T) {
	t.Parallel()
	v := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{}) // not shared, so that no other test raises the count
	check := func(address string) string {
		err := open(t, address, loki.Options{Server: loki.ServerVictoriaLogs}).Check(shortly(t))
		if err == nil {
			return ""
		}
		return err.Error()
	}
	gone := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{})
	if err := gone.Kill(); err != nil {
		t.Fatal(err)
	}
	contains(t, check(gone.URL), "cannot be read", "connection refused")
	contains(t, check(fake(t, http.NotFound)), "404", "Options.Server")
	contains(t, check(fake(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") })), "no metrics of a VictoriaLogs")
	contains(t, check(fake(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "up 1\n") })), "no VictoriaLogs on a single node")
	// The relay answers 204 itself, and passes on the metrics of another server.
	relay := before(t, &testenv.Loki{URL: v.URL}, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next.ServeHTTP(w, r)
	})
	contains(t, check(relay), "does not count it as dropped", "not of the server that takes the pushes")
	if got := check(v.URL); got != "" {
		t.Error(got)
	}
}

func TestVictoriaLogsAddressMayBeRootOrPushAPI(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"", "/", "/insert", "/insert/", "/insert/loki/api/v1/push", "/gate/way", "/gate/way/insert"} {
		var got string
		address := fake(t, func(w http.ResponseWriter, r *http.Request) { // it only records the path
			got = r.URL.RequestURI()
			w.WriteHeader(http.StatusNoContent)
		})
		mustWriteAll(t, open(t, address+path, loki.Options{Server: loki.ServerVictoriaLogs}), event(namespace(), "x"))
		want := "/insert/loki/api/v1/push?disable_message_parsing=1"
		if strings.HasPrefix(path, "/gate") {
			want = "/gate/way" + want
		}
		if got != want {
			t.Errorf("%q pushes to %q, want %q", path, got, want)
		}
	}
}

func TestNewRefusesWhatVictoriaLogsWouldDrop(t *testing.T) {
	t.Parallel()
	_, err := loki.New("http://victorialogs:9428", loki.Options{
		Server: loki.ServerVictoriaLogs, Level: auditing.LevelDurable, Oldest: time.Second, Newest: -1, TenantID: "team-a", ProveEvery: time.Minute,
		Labels: map[string]string{strings.Repeat("n", 129): "x", "_msg": "x", "kind": "x"},
	})
	if err == nil {
		t.Fatal("New takes it")
	}
	contains(t, err.Error(), "Options.Level", "Options.Oldest", "Options.Newest", "12:34", "Options.ProveEvery", "128 bytes", `"_msg"`, `"kind"`)
	if _, err := loki.New("http://loki:3100", loki.Options{Server: "splunk"}); err == nil || !strings.Contains(err.Error(), "loki or victorialogs") {
		t.Errorf("an unknown server: %v", err)
	}
}

func TestAFullVictoriaLogsIsATransientFailure(t *testing.T) {
	t.Parallel()
	v := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{Flags: []string{"-storage.minFreeDiskSpaceBytes=1000TB"}})
	sink := open(t, v.URL, loki.Options{Server: loki.ServerVictoriaLogs})
	err := sink.Write(shortly(t), event(namespace(), "x"))
	contains(t, mustFail(t, err, auditing.ClassTransient).Error(), "429", "read-only", "outcome is unknown")
}
