package seal_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/seal"
)

// nowhere is a destination that takes everything at once.
type nowhere struct{ driver.Base }

func (nowhere) Info() driver.Info {
	return driver.Info{Name: "nowhere", Level: auditing.LevelAcknowledged}
}
func (nowhere) Store(context.Context, []*driver.Event) []error { return nil }

// protections are what a stage in front of nowhere does to an event, and what one would do
// that has no tree: each hands on a copy with one annotation more, as seal does.
var protections = []struct {
	name  string
	store func(b *testing.B) driver.Driver
}{
	{"none", func(*testing.B) driver.Driver { return nowhere{} }},
	{"seal", func(b *testing.B) driver.Driver {
		s, err := seal.New(driver.New(nowhere{}), seal.Options{Component: "proxy"})
		must(b, err)
		b.Cleanup(func() { must(b, s.Close(within(b, 10*time.Second))) })
		return driver.Of(s)
	}},
	{"HMAC of each event", func(*testing.B) driver.Driver {
		mac := hmac.New(sha256.New, []byte("0123456789abcdef0123456789abcdef"))
		var mu sync.Mutex
		return annotated{func(e *driver.Event) []byte {
			mu.Lock()
			defer mu.Unlock()
			mac.Reset()
			_, _ = mac.Write(e.JSON())
			return mac.Sum(nil)
		}}
	}},
	{"Ed25519 of each event", func(b *testing.B) driver.Driver {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		must(b, err)
		return annotated{func(e *driver.Event) []byte { return ed25519.Sign(key, e.JSON()) }}
	}},
	{"chain of hashes", func(*testing.B) driver.Driver {
		var mu sync.Mutex
		var last [sha256.Size]byte
		return annotated{func(e *driver.Event) []byte {
			text := e.AppendJSON(nil)
			mu.Lock()
			defer mu.Unlock()
			last = sha256.Sum256(append(text, last[:]...))
			return slices.Clone(last[:])
		}}
	}},
}

// annotated puts what proof returns onto each event.
type annotated struct{ proof func(*driver.Event) []byte }

func (annotated) Info() driver.Info           { return nowhere{}.Info() }
func (annotated) Check(context.Context) error { return nil }
func (annotated) Close(context.Context) error { return nil }
func (a annotated) Store(_ context.Context, events []*driver.Event) []error {
	for _, e := range events {
		kept = e.Sealed(hex.EncodeToString(a.proof(e)))
	}
	return nil
}

var kept *driver.Event

func prepared(tb testing.TB, n int) []*driver.Event {
	tb.Helper()
	events := make([]*driver.Event, n)
	for i := range events {
		ae := denial(i)
		ae.Spec.Detail = map[string]string{"method": "GET", "path": "/v1/models", "quota": "10"}
		e, err := driver.Prepare(ae, "proxy")
		must(tb, err)
		events[i] = e
	}
	return events
}

// BenchmarkProtection measures what protects an event beside encoding the same event. It
// takes turns with both and compares the medians, as other work of the machine slows both.
func BenchmarkProtection(b *testing.B) {
	for _, p := range protections {
		b.Run(p.name, func(b *testing.B) {
			d := p.store(b)
			var encoding, storing []time.Duration
			var buffer []byte
			b.ReportAllocs()
			events := prepared(b, b.N)
			b.ResetTimer()
			for _, e := range events {
				start := time.Now()
				buffer = e.AppendJSON(buffer[:0])
				mid := time.Now()
				_ = d.Store(b.Context(), e.Alone())
				storing, encoding = append(storing, time.Since(mid)), append(encoding, mid.Sub(start))
			}
			b.StopTimer()
			b.ReportMetric(median(storing)/median(encoding), "encodings")
			b.ReportMetric(median(storing), "ns/store")
		})
	}
}

func median(times []time.Duration) float64 {
	slices.Sort(times)
	return float64(times[len(times)/2])
}

// BenchmarkWriters measures sealing by many writers.
func BenchmarkWriters(b *testing.B) {
	for _, writers := range []int{1, 64, 1024} {
		b.Run(fmt.Sprint(writers), func(b *testing.B) {
			s, err := seal.New(driver.New(nowhere{}), seal.Options{Component: "proxy"})
			must(b, err)
			d := driver.Of(s)
			events := prepared(b, b.N)
			b.ReportAllocs()
			b.ResetTimer()
			var wg sync.WaitGroup
			for w := range writers {
				wg.Go(func() {
					for i := w; i < b.N; i += writers {
						_ = d.Store(b.Context(), events[i].Alone())
					}
				})
			}
			wg.Wait()
			b.StopTimer()
			must(b, s.Close(within(b, 10*time.Second)))
		})
	}
}

// BenchmarkSize measures by how much sealing makes the JSON of events longer, with their
// share of the checkpoints: alone, and where a board has 10 other trails.
func BenchmarkSize(b *testing.B) {
	const n = 1024
	size := func(open func(*counted) driver.Driver) float64 {
		c := &counted{}
		d := open(c)
		for _, e := range prepared(b, n) {
			_ = d.Store(b.Context(), e.Alone())
		}
		must(b, d.Close(within(b, 10*time.Second)))
		return float64(c.bytes) / n
	}
	plain := size(func(c *counted) driver.Driver { return c })
	sealed := func(board seal.Board) float64 {
		return size(func(c *counted) driver.Driver {
			s, err := seal.New(driver.New(c), seal.Options{Component: "proxy", Interval: time.Hour, Board: board})
			must(b, err)
			return driver.Of(s)
		})
	}
	b.ReportMetric(sealed(nil)-plain, "B/event")
	var board crowded
	for range 10 {
		board = append(board, madeUp(b, strings.Repeat("certificate ", 25)+"\n"))
	}
	b.ReportMetric(sealed(board)-plain, "B/event+10trails")
	b.ReportMetric(plain, "plainB/event")
}

// counted counts the bytes of the events' JSON.
type counted struct {
	nowhere

	mu    sync.Mutex
	bytes int
}

func (c *counted) Store(_ context.Context, events []*driver.Event) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		c.bytes += len(e.AppendJSON(nil))
	}
	return nil
}
