// Package webhook_test compares sinks/webhook with bare POSTs of the very same requests, and asks the receiver how many
// events arrived.
package webhook_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/webhook"
)

func TestMain(m *testing.M) {
	if os.Getenv(receiverEnv) != "" {
		fmt.Fprintln(os.Stderr, serve())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func BenchmarkWebhook(b *testing.B) {
	root := startReceiver(b)
	for _, writers := range []int{1, 64, 1024} {
		for _, event := range bench.Events() {
			bench.Compare(b, fmt.Sprintf("writers=%d/event=%s/", writers, event.Name), writers, peers(root, event))
		}
	}
}

// connections is how many requests are under way at once, for everybody: the default of sinks/webhook.
const connections = 8

// target is where one measurement writes: a path that no other writes to, by which the receiver counts.
type target struct {
	url   string
	event bench.Event
}

var paths atomic.Int64

func peers(root string, event bench.Event) []bench.Peer {
	peer := func(name string, mode webhook.Mode, open func(b *testing.B, to target, opts webhook.Options) (bench.Writer, error)) bench.Peer {
		return bench.Peer{Name: name, Open: func(b *testing.B, _ int) bench.Writer {
			to := target{url: fmt.Sprintf("%s/bench-%d", root, paths.Add(1)), event: event}
			w, err := open(b, to, webhook.Options{
				Mode: mode, Component: bench.Component, Secrets: []promconfig.Secret{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"},
			})
			if err != nil {
				b.Fatal(err)
			}
			w.Stored = func() (int, error) { return to.stored(context.Background()) }
			return w
		}}
	}
	return []bench.Peer{
		peer("ours", webhook.ModeStructured, openOurs),
		peer("ours-batch", webhook.ModeBatch, openOurs),
		peer("post", webhook.ModeStructured, openPOST),
		peer("post-batch", webhook.ModeBatch, openBatches),
	}
}

// openOurs has every event answered before Write returns.
func openOurs(b *testing.B, to target, opts webhook.Options) (bench.Writer, error) {
	sink, err := webhook.New(to.url, opts)
	ctx := b.Context()
	return bench.Writer{
		Write:  func(int) error { return sink.Write(ctx, to.event.New()) },
		Finish: func() error { return sink.Close(ctx) },
	}, err
}

// openPOST sends requests that were made and signed before, one for each Write.
func openPOST(b *testing.B, to target, opts webhook.Options) (bench.Writer, error) {
	requests, err := record(b.Context(), to.event, opts, b.N)
	client := newClient()
	var next atomic.Int64
	ctx := b.Context()
	return bench.Writer{
		Write: func(int) error { return requests[next.Add(1)-1].post(ctx, client, to.url) },
		Close: func() error { client.CloseIdleConnections(); return nil },
	}, err
}

// openBatches is the limit: full batches that were made and signed before. A writer's call does nothing but count;
// Finish sends them.
func openBatches(b *testing.B, to target, opts webhook.Options) (bench.Writer, error) {
	requests, err := record(b.Context(), to.event, opts, b.N)
	client := newClient()
	ctx := b.Context()
	return bench.Writer{
		Write: func(int) error { return nil },
		Finish: func() error {
			var next atomic.Int64
			errs := make(chan error, connections)
			for range connections {
				go func() {
					var err error
					for i := next.Add(1) - 1; err == nil && i < int64(len(requests)); i = next.Add(1) - 1 {
						err = requests[i].post(ctx, client, to.url)
					}
					errs <- err
				}()
			}
			for range connections {
				if err := <-errs; err != nil {
					return err
				}
			}
			return nil
		},
		Close: func() error { client.CloseIdleConnections(); return nil },
	}, err
}

func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections}}
}

// request is a request as sinks/webhook sends it.
type request struct {
	header http.Header
	body   []byte
}

func (r request) post(ctx context.Context, client *http.Client, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header = r.header
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusNoContent {
		return fmt.Errorf("post: %s", resp.Status)
	}
	return nil
}

// record returns the requests that sinks/webhook makes of some new events, the batches as full as they can be.
func record(ctx context.Context, event bench.Event, opts webhook.Options, events int) (requests []request, err error) {
	var mu sync.Mutex
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sink hears of it
		}
		mu.Lock()
		defer mu.Unlock()
		r.Header.Del("Content-Length")
		r.Header.Del("Accept-Encoding")
		requests = append(requests, request{r.Header, body})
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	sink, err := webhook.New(server.URL, opts)
	if err != nil {
		return nil, err
	}
	prepared := make([]*driver.Event, events)
	for i := range prepared {
		if prepared[i], err = driver.Prepare(event.New(), opts.Component); err != nil {
			return nil, err
		}
	}
	for _, err := range driver.Of(sink).Store(ctx, prepared) {
		if err != nil {
			return nil, err
		}
	}
	return requests, sink.Close(ctx)
}

// stored asks the receiver.
func (to target) stored(ctx context.Context) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.url, http.NoBody)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}
