package eventjson_test

import (
	"testing"

	"github.com/paddock-dev/audit/internal/eventjson"
)

func BenchmarkCopy(b *testing.B) {
	ae := sample()
	b.ReportAllocs()
	for b.Loop() {
		e := &eventjson.Event{}
		e.Copy(ae)
		kept = e
	}
}

var kept *eventjson.Event
