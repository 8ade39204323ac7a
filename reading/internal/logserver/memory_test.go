package logserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/reading"
)

// memory is a source of events in memory.
type memory struct{ events []*v1alpha1.AuditEvent }

func (m *memory) Name() string { return "memory" }

func (m *memory) Read(_ context.Context, q *reading.Query) iter.Seq2[*reading.Record, error] {
	return func(yield func(*reading.Record, error) bool) {
		var records []*reading.Record
		for _, ae := range m.events {
			r := reading.NewRecord(ae, "memory", "")
			if ok, err := q.Takes(r); ok && err == nil {
				records = append(records, r)
			}
		}
		slices.SortFunc(records, func(a, b *reading.Record) int { return a.Key().Compare(b.Key()) })
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// pushLine stores a line in a Loki.
func pushLine(tb testing.TB, address, service, line string) {
	tb.Helper()
	body, err := json.Marshal(map[string]any{"streams": []any{map[string]any{
		"stream": map[string]string{"service_name": service},
		"values": [][]string{{strconv.FormatInt(time.Now().UnixNano(), 10), line}},
	}}})
	if err != nil {
		tb.Fatal(err)
	}
	resp, err := http.Post(address+"/loki/api/v1/push", "application/json", bytes.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		tb.Fatal(resp.Status)
	}
}
