package loki_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/golang/snappy"
	"github.com/grafana/loki/pkg/push"

	"github.com/paddock-dev/audit/benchmarks/internal/bench"
)

// openPOST is the limit: requests that were encoded and compressed before, each with one entry for every writer, as
// many as can wait at a time, sent one after the other, as entries of one stream have to be to arrive in their order.
// A writer's call does nothing but count; Finish sends.
func openPOST(b *testing.B, writers int, to target) (bench.Writer, error) {
	bodies, err := encode(to, b.N, writers)
	if err != nil {
		return bench.Writer{}, err
	}
	ctx := b.Context()
	return bench.Writer{
		Write: func(int) error { return nil },
		Finish: func() error {
			for _, body := range bodies {
				if err := post(ctx, to.push()+pushPath, body); err != nil {
					return err
				}
			}
			return nil
		},
	}, nil
}

// encode makes pushes of the entries that sinks/loki makes.
func encode(to target, events, batch int) (bodies [][]byte, err error) {
	for done := 0; done < events; done += batch {
		stream := push.Stream{Labels: fmt.Sprintf(`{component=%q, namespace=%q, service_name=%q}`, bench.Component, bench.Namespace, to.service)}
		for range min(batch, events-done) {
			ae, err := bench.Named(to.event)
			if err != nil {
				return nil, err
			}
			line, err := json.Marshal(ae)
			if err != nil {
				return nil, err
			}
			stream.Entries = append(stream.Entries, push.Entry{
				Timestamp: bench.Time(ae), Line: string(line), StructuredMetadata: push.LabelsAdapter{
					{Name: "kind", Value: string(ae.Spec.Kind)},
					{Name: "decision", Value: string(ae.Spec.Decision)},
					{Name: "event", Value: ae.Name},
					{Name: "run", Value: ae.Spec.RunRef.Name},
				},
			})
		}
		body, err := (&push.PushRequest{Streams: []push.Stream{stream}}).Marshal()
		if err != nil {
			return nil, err
		}
		bodies = append(bodies, snappy.Encode(nil, body))
	}
	return bodies, nil
}

func post(ctx context.Context, address string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
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
