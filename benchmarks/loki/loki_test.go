// Package loki_test compares clients of Loki, each with the same real server, and looks up there what arrived.
package loki_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
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
	l := testenv.NewLoki(b, testenv.LokiOptions{})
	for _, writers := range []int{1, 64, 1024} {
		for _, event := range bench.Events() {
			bench.Compare(b, fmt.Sprintf("writers=%d/event=%s/", writers, event.Name), writers, peers(l, event))
		}
	}
}

// target is where one measurement writes: a service that no other writes to, by which its entries are counted.
type target struct {
	loki    *testenv.Loki
	service string
	event   bench.Event
}

var services atomic.Int64

func peers(l *testenv.Loki, event bench.Event) []bench.Peer {
	peer := func(name string, open func(b *testing.B, writers int, to target) (bench.Writer, error)) bench.Peer {
		return bench.Peer{Name: name, Open: func(b *testing.B, writers int) bench.Writer {
			to := target{loki: l, event: event, service: fmt.Sprintf("bench-%d-%d", os.Getpid(), services.Add(1))}
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

// stored counts the entries of the service.
func (to target) stored(ctx context.Context) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	query := url.Values{
		"query": {fmt.Sprintf(`sum(count_over_time({service_name=%q}[1h]))`, to.service)},
		"time":  {strconv.FormatInt(time.Now().Add(time.Minute).UnixNano(), 10)},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.loki.URL+"/loki/api/v1/query?"+query.Encode(), http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("counting the entries of %s: %s", to.service, resp.Status)
	}
	var answer struct {
		Data struct {
			Result []struct {
				Value [2]any // seconds since 1970, and the number as a text
			}
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return 0, err
	}
	if len(answer.Data.Result) == 0 {
		return 0, nil
	}
	text, ok := answer.Data.Result[0].Value[1].(string)
	if !ok {
		return 0, errors.New("counting entries: the answer has no number")
	}
	return strconv.Atoi(text)
}

// openOurs confirms every event before Write returns.
func openOurs(b *testing.B, _ int, to target) (bench.Writer, error) {
	sink, err := loki.New(to.loki.URL, loki.Options{Component: bench.Component, ServiceName: to.service})
	ctx := b.Context()
	return bench.Writer{
		Write:  func(int) error { return sink.Write(ctx, to.event.New()) },
		Finish: func() error { return sink.Close(ctx) },
	}, err
}

// openLokiclient stores the same entries through loki-client-go, unconfirmed.
func openLokiclient(b *testing.B, _ int, to target) (bench.Writer, error) {
	sink, err := lokiclient.New(to.loki.URL, lokiclient.Options{Component: bench.Component, ServiceName: to.service})
	ctx := b.Context()
	return bench.Writer{
		Write:  func(int) error { return sink.Write(ctx, to.event.New()) },
		Finish: func() error { return sink.Close(ctx) },
	}, err
}
