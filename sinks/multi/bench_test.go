package multi_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/multi"
)

// instant takes no time, so that what is left is the fan-out's own.
type instant struct{}

func (instant) Write(context.Context, *v1alpha1.AuditEvent) error { return nil }

func BenchmarkWrite(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ae, err := write(ctx, instant{})
	if err != nil {
		b.Fatal(err)
	}
	run := func(name string, s auditing.Sink) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Write(ctx, ae); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	children := []multi.Child{{Name: "a", Sink: instant{}}, {Name: "b", Sink: instant{}}, {Name: "c", Sink: instant{}}}
	for n := 1; n <= len(children); n++ {
		for _, require := range []multi.Policy{multi.All(), multi.Any()} {
			s, err := multi.New(children[:n], multi.Options{Require: require})
			if err != nil {
				b.Fatal(err)
			}
			run(fmt.Sprintf("%s-of-%d", require, n), s)
		}
	}
}
