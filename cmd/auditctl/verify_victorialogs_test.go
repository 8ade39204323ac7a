package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/verify"
)

// rows are those of one tenant of a VictoriaLogs, for somebody who may do everything there.
type rows struct {
	t      *testing.T
	server *testenv.VictoriaLogs
	tenant string
}

// of returns the row of an event.
func (r rows) of(name string) testenv.Row {
	r.t.Helper()
	all, err := r.server.Query(r.t.Context(), r.tenant, "*", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		r.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(row testenv.Row) bool { return strings.Contains(row.Line, name) })
	if i < 0 {
		r.t.Fatalf("no row of %s among %d", name, len(all))
	}
	return all[i]
}

// ask sends a request that has to succeed.
func (r rows) ask(path string, parameters url.Values, body []byte) string {
	r.t.Helper()
	q, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.server.URL+path+"?"+parameters.Encode(), bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	q.Header.Set("AccountID", r.tenant)
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		r.t.Fatalf("%s: %s: %v: %s", path, answer.Status, err, text)
	}
	return string(text)
}

// remove deletes a row.
func (r rows) remove(row testenv.Row) {
	r.t.Helper()
	r.ask("/delete/run_task", url.Values{"filter": {"event:=" + strconv.Quote(row.Fields["event"])}}, nil)
	for deadline := time.Now().Add(20 * time.Second); r.ask("/delete/active_tasks", nil, nil) != "[]"; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.t.Fatal("the row is still being deleted")
		}
	}
}

var streamLabel = regexp.MustCompile(`(\w+)="`)

// insert stores a copy of a row with some of its fields changed.
func (r rows) insert(row testenv.Row, changed map[string]string) {
	r.t.Helper()
	var labels []string
	for _, found := range streamLabel.FindAllStringSubmatch(row.Fields["_stream"], -1) {
		labels = append(labels, found[1])
	}
	fields := maps.Clone(row.Fields)
	delete(fields, "_stream")
	delete(fields, "_stream_id")
	maps.Copy(fields, changed)
	line, err := json.Marshal(fields)
	if err != nil {
		r.t.Fatal(err)
	}
	r.ask("/insert/jsonline", url.Values{"_stream_fields": {strings.Join(labels, ",")}}, line)
}

// The administrator of a VictoriaLogs deletes rows and ingests others. Its rows cannot be changed in place.
func TestVerifyFindsWhatWasDoneAtVictoriaLogs(t *testing.T) {
	server := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{Flags: []string{"-delete.enable"}})
	const own = `"paddock.dev/seal":"[^"]*",?`
	changed := func(row testenv.Row, from, to string) map[string]string {
		line := regexp.MustCompile(from).ReplaceAllString(row.Line, to)
		if line == row.Line {
			t.Fatalf("%s is not in %s", from, row.Line)
		}
		return map[string]string{"_msg": line}
	}
	for i, c := range []struct {
		name   string
		change func(r rows, row testenv.Row)
		want   []verify.Code
	}{
		{"nothing", func(rows, testenv.Row) {}, nil},
		{"deleted", func(r rows, row testenv.Row) { r.remove(row) }, []verify.Code{verify.CodeDeleted}},
		{"edited", func(r rows, row testenv.Row) { r.remove(row); r.insert(row, changed(row, "host-2", "host-9")) }, []verify.Code{verify.CodeEdited}},
		{"edited, beside the old one", func(r rows, row testenv.Row) { r.insert(row, changed(row, "host-2", "host-9")) }, []verify.Code{verify.CodeEdited}},
		{"replayed", func(r rows, row testenv.Row) { r.insert(row, changed(row, `"name":"ae-`, `"name":"ae-x`)) }, []verify.Code{verify.CodeReplayed}},
		{"inserted", func(r rows, row testenv.Row) { r.insert(row, changed(row, own, "")) }, []verify.Code{verify.CodeUnsealed}},
		{"cut short", func(r rows, row testenv.Row) { r.remove(row); r.insert(row, changed(row, `"spec":.*`, "")) }, []verify.Code{verify.CodeUnreadable, verify.CodeUnreadable}},
		{"moved to a stream that is not read", func(r rows, row testenv.Row) {
			r.remove(row)
			r.insert(row, map[string]string{"service_name": "other"})
		}, []verify.Code{verify.CodeDeleted}},
		// The line is what is proven, and nothing is believed of what stands around it.
		{"a copy", func(r rows, row testenv.Row) { r.insert(row, nil) }, nil},
		{"under other labels and another time", func(r rows, row testenv.Row) {
			r.remove(row)
			r.insert(row, map[string]string{"component": "broker", "decision": "granted", "_time": row.Time.Add(time.Minute).Format(time.RFC3339Nano)})
		}, nil},
	} {
		r := rows{t, server, strconv.Itoa(i + 1)}
		lake, err := loki.New(server.URL, loki.Options{Server: loki.ServerVictoriaLogs, TenantID: r.tenant})
		if err != nil {
			t.Fatal(err)
		}
		s := sealTo(t, lake, "vault", "team-a", 5)
		c.change(r, r.of(s.names[2]))
		r.of(s.names[0]) // makes what was ingested readable
		code, out, errOut := auditctl(t, "verify", "--trust", s.trust, "-o", "json", "--victorialogs", server.URL, "--tenant", r.tenant)
		report := &verify.Report{}
		if err := json.Unmarshal([]byte(out), report); err != nil {
			t.Fatalf("%s: %d: %v: %s%s", c.name, code, err, out, errOut)
		}
		var found []verify.Code
		for _, f := range report.Findings {
			if f.Level != verify.LevelNote {
				found = append(found, f.Code)
			}
		}
		slices.Sort(found)
		if !slices.Equal(found, c.want) || (code == 0) != (len(c.want) == 0) {
			t.Errorf("%s: %d with %v, want %v\n%s", c.name, code, found, c.want, fmt.Sprint(report.Findings))
		}
	}
}
