package kube_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/benchmarks/internal/bench"
	"github.com/paddock-dev/audit/internal/testenv"
)

// openPOST is the limit: objects that were encoded beforehand, sent by client-go's HTTP client, and an answer that is
// read and not decoded.
func openPOST(b *testing.B, k *testenv.Kube, namespace string, event bench.Event) bench.Writer {
	bodies := make([][]byte, b.N)
	for i := range bodies {
		ae := named(event)
		ae.Namespace = namespace
		ae.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AuditEvent"))
		var err error
		if bodies[i], err = json.Marshal(ae); err != nil {
			b.Fatal(err)
		}
	}
	c, err := rest.HTTPClientFor(k.Config)
	if err != nil {
		b.Fatal(err)
	}
	address := fmt.Sprintf("%s/apis/%s/namespaces/%s/auditevents", k.Config.Host, v1alpha1.GroupVersion, namespace)
	ctx := b.Context()
	var next atomic.Int64
	return bench.Writer{Write: func(int) error { return post(ctx, c, address, bodies[next.Add(1)-1]) }}
}

func post(ctx context.Context, c *http.Client, address string, body []byte) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusCreated {
		return fmt.Errorf("create: %s", resp.Status)
	}
	return nil
}
