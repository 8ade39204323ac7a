package httpdriver_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// Ledger posts each event to a server that answers 201 when it has stored it.
type Ledger struct{ driver.Sink }

// NewLedger returns a sink that posts to address.
func NewLedger(address string, opts httpdriver.Options) (*Ledger, error) {
	opts.Name = "ledger"
	client, err := httpdriver.New(address, opts)
	if err != nil {
		return nil, err
	}
	return &Ledger{driver.New(ledger{client})}, nil
}

// ledger has the Close of its client.
type ledger struct{ *httpdriver.Client }

func (ledger) Info() driver.Info {
	return driver.Info{Name: "ledger", Level: auditing.LevelAcknowledged}
}

func (l ledger) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, func(ctx context.Context, e *driver.Event) error {
		return l.Post(ctx, e.AppendJSON(nil), http.Header{"Content-Type": {"application/json"}}).Err
	})
}

func (l ledger) Check(ctx context.Context) error {
	return l.Get(ctx, "/health", 0).Err
}

// A destination over HTTP in 40 lines. Which status is worth what, pauses that the server asks
// for, credentials, redirects and endless answers are done for it.
func Example() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, password, _ := r.BasicAuth(); password != "hunter2" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusCreated)
	}))
	defer server.Close()
	sink, err := NewLedger(server.URL+"/events", httpdriver.Options{RefusalGrace: -1})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sink.Close(context.Background())

	err = sink.Write(context.Background(), auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"}))
	class, _ := driver.ClassOf(err)
	fmt.Println(class)
	// Output: permanent
}
