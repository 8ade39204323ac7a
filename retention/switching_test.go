package retention_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

func TestPassEndsWhenServerSwitchesProtocols(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		testenv.SwitchesProtocols(t, w)
	}))
	t.Cleanup(server.Close)
	reaper, err := retention.New(&rest.Config{Host: server.URL}, retention.Policy{}, retention.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := reaper.Pass(ctx)
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("the pass says that all is well")
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Pass has not returned 5s after its context was to end")
	}
}
