package multi_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/multi"
)

// instant takes no time, so that what is left is the fan-out's own.
type instant struct{ driver.Base }

func (instant) Info() driver.Info                              { return driver.Info{Name: "instant"} }
func (instant) Store(context.Context, []*driver.Event) []error { return nil }

// plain knows nothing of package driver, so it is given an object of its own.
type plain struct{}

func (plain) Write(context.Context, *v1alpha1.AuditEvent) error { return nil }

// BenchmarkWrite measures one writer. The cases that end in -writers have 16 writers for
// each processor.
func BenchmarkWrite(b *testing.B) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ae, err := write(ctx, driver.New(instant{}))
	if err != nil {
		b.Fatal(err)
	}
	file := func(name string) auditing.Sink {
		s, err := log.NewFile(filepath.Join(b.TempDir(), name), log.FileOptions{MaxSizeMB: 1 << 20})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = s.Close(context.Background()) })
		return s
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
		b.Run(name+"-writers", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				own, err := write(ctx, driver.New(instant{}))
				for pb.Next() && err == nil {
					err = s.Write(ctx, own)
				}
				if err != nil {
					b.Error(err)
				}
			})
		})
	}
	run("log/alone", file("alone"))
	for name, child := range map[string]func(string) auditing.Sink{
		"instant": func(string) auditing.Sink { return driver.New(instant{}) },
		"plain":   func(string) auditing.Sink { return plain{} },
		"log":     file,
	} {
		for n := 1; n <= 3; n++ {
			children := make([]multi.Child, n)
			for i := range children {
				id := string(rune('a' + i))
				children[i] = multi.Child{Name: id, Sink: child(id)}
			}
			for _, require := range []multi.Policy{multi.All(), multi.Any()} {
				s, err := multi.New(children, multi.Options{Require: require})
				if err != nil {
					b.Fatal(err)
				}
				run(fmt.Sprintf("%s/%s-of-%d", name, require, n), s)
			}
		}
	}
}
