package reading_test

import (
	"testing"

	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/reading"
)

// What a condition costs for each event that the rest of a query takes.
func BenchmarkWhere(b *testing.B) {
	r := reading.NewRecord(event(b, 1), "a", "")
	q := reading.Query{Where: where(b, "event.spec.destination.port == 22")}
	b.ReportAllocs()
	for b.Loop() {
		if ok, err := q.Takes(r); !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

// BenchmarkEncode is what the JSON of the same event costs, to see BenchmarkWhere beside it.
func BenchmarkEncode(b *testing.B) {
	ae := event(b, 1)
	b.ReportAllocs()
	for b.Loop() {
		_ = eventjson.Append(nil, ae)
	}
}
