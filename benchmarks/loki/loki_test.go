// Package loki_test compares clients of Loki's push, each with the same real VictoriaLogs, and looks up there what
// arrived.
package loki_test

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/loki/lokiclient"
)

func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }

func BenchmarkLoki(b *testing.B) {
	// Without the flag it would take the lines of those apart whose requests cannot ask it not to.
	l := testenv.NewVictoriaLogs(b, testenv.VictoriaLogsOptions{Flags: []string{"-loki.disableMessageParsing"}})
	for _, writers := range []int{1, 64, 1024} {
		for _, event := range bench.Events() {
			bench.Compare(b, fmt.Sprintf("writers=%d/event=%s/", writers, event.Name), writers, peers(l, event))
		}
	}
}

// target is where one measurement writes: a service that no other writes to, by which its entries are counted.
type target struct {
	server  *testenv.VictoriaLogs
	service string
	event   bench.Event
}

var services atomic.Int64

func peers(l *testenv.VictoriaLogs, event bench.Event) []bench.Peer {
	peer := func(name string, open func(b *testing.B, writers int, to target) (bench.Writer, error)) bench.Peer {
		return bench.Peer{Name: name, Open: func(b *testing.B, writers int) bench.Writer {
			to := target{server: l, event: event, service: fmt.Sprintf("bench-%d-%d", os.Getpid(), services.Add(1))}
			w, err := open(b, writers, to)
			if err != nil {
				b.Fatal(err)
			}
			w.Stored = func() (int, error) { return to.stored(context.Background()) }
			return w
		}}
	}
	return []bench.Peer{
		peer("ours", openOurs),
		peer("lokiclient", openLokiclient),
		peer("loki-client-go", openClientGo),
		peer("slog-loki", openSlogLoki),
		peer("otlp", openOTLP),
		peer("post", openPOST),
	}
}

// push is where Loki's push API begins.
func (to target) push() string { return to.server.URL + "/insert" }

// stored counts the rows of the service, those that were sent again included.
func (to target) stored(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	rows, err := to.server.Query(ctx, "", fmt.Sprintf("{service_name=%q} or {service.name=%q} | stats count() rows", to.service, to.service),
		time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		return 0, err
	}
	if len(rows) != 1 {
		return 0, fmt.Errorf("counting the rows of %s: %d answers", to.service, len(rows))
	}
	return strconv.Atoi(rows[0].Fields["rows"])
}

// openOurs has every event answered before Write returns.
func openOurs(b *testing.B, _ int, to target) (bench.Writer, error) {
	sink, err := loki.New(to.server.URL, loki.Options{Server: loki.ServerVictoriaLogs, Component: bench.Component, ServiceName: to.service})
	ctx := b.Context()
	return bench.Writer{
		Write:  func(int) error { return sink.Write(ctx, to.event.New()) },
		Finish: func() error { return sink.Close(ctx) },
	}, err
}

// openLokiclient stores the same entries through loki-client-go, unconfirmed.
func openLokiclient(b *testing.B, _ int, to target) (bench.Writer, error) {
	sink, err := lokiclient.New(to.push(), lokiclient.Options{Component: bench.Component, ServiceName: to.service})
	ctx := b.Context()
	return bench.Writer{
		Write:  func(int) error { return sink.Write(ctx, to.event.New()) },
		Finish: func() error { return sink.Close(ctx) },
	}, err
}
