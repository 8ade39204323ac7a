package drain_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

const service = "bench-drain"

// pushes is how many sinks/loki has under way at once in a stream.
const pushes = 2

// openVictoriaLogs starts a server for this measurement alone, so that no earlier one has left it work.
func openVictoriaLogs(b *testing.B) target {
	server := testenv.NewVictoriaLogs(b, testenv.VictoriaLogsOptions{})
	return target{
		sink: newLoki(b, server.URL), namespace: bench.Namespace, inFlight: pushes,
		requests: func(b *testing.B, events []*driver.Event) (all []request) {
			for _, r := range record(b, events) {
				all = append(all, func(ctx context.Context) error { return r.send(ctx, server.URL) })
			}
			return all
		},
		stored: func(ctx context.Context) (int, error) {
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			rows, err := server.Query(ctx, "", fmt.Sprintf("{service_name=%q} | stats count() rows", service),
				time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
			if err != nil {
				return 0, err
			}
			if len(rows) != 1 {
				return 0, fmt.Errorf("counting the rows: %d answers", len(rows))
			}
			return strconv.Atoi(rows[0].Fields["rows"])
		},
	}
}

func newLoki(b *testing.B, address string) auditing.Sink {
	sink, err := loki.New(address, loki.Options{Server: loki.ServerVictoriaLogs, Component: bench.Component, ServiceName: service})
	if err != nil {
		b.Fatal(err)
	}
	return sink
}

// recorded is a request that the sink has sent.
type recorded struct {
	path   string
	header http.Header
	body   []byte
}

// record returns the requests that the sink makes of events in batches as a spool hands them to it.
func record(b *testing.B, events []*driver.Event) (requests []recorded) {
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			b.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		requests = append(requests, recorded{path: r.URL.RequestURI(), header: r.Header, body: body})
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	sink := driver.Of(newLoki(b, server.URL))
	for most := sink.Info().Batch; len(events) > 0; {
		n := min(most, len(events))
		if errs := sink.Store(b.Context(), events[:n]); errs != nil {
			b.Fatal(errors.Join(errs...))
		}
		clear(events[:n]) // so that their memory is free
		events = events[n:]
	}
	if err := sink.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
	return requests
}

func (r recorded) send(ctx context.Context, to string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to+r.path, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header = r.header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("push: %s", resp.Status)
	}
	return nil
}
