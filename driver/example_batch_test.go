package driver_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// Collector posts events as lines of JSON, as many in one request as there are. The
// server answers with an array of texts: for each line "", or why it is refused.
type Collector struct{ driver.Sink }

// NewCollector makes the sink.
func NewCollector(url string, client *http.Client) *Collector {
	return &Collector{driver.New(&collector{url: url, client: client})}
}

type collector struct {
	driver.Gate // Close
	url         string
	client      *http.Client
}

func (*collector) Info() driver.Info {
	return driver.Info{Name: "collector", Level: auditing.LevelAcknowledged, Batch: 500}
}

func (c *collector) Store(ctx context.Context, events []*driver.Event) []error {
	if err := c.Enter(len(events)); err != nil {
		return driver.All(len(events), err)
	}
	defer c.Leave(len(events))
	var body []byte
	for _, e := range events {
		body = append(e.AppendJSON(body), '\n')
	}
	refused, err := c.post(ctx, body)
	if err != nil {
		return driver.All(len(events), err)
	}
	errs := make([]error, len(refused)) // of another length it is an error of all
	for i, why := range refused {
		if why != "" {
			errs[i] = driver.Permanent(errors.New(why))
		}
	}
	return errs
}

func (c *collector) post(ctx context.Context, body []byte) (refused []string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, driver.Permanent(err)
	}
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the collector answers %s", resp.Status)
	}
	err = json.NewDecoder(resp.Body).Decode(&refused)
	return refused, err
}

func (*collector) Check(context.Context) error { return nil }

// A destination that takes several events in one request says of each what became of
// it, by its place. 59 lines.
func Example_batch() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var answer []string
		for lines := bufio.NewScanner(r.Body); lines.Scan(); {
			why := ""
			if bytes.Contains(lines.Bytes(), []byte(`"run-failed"`)) {
				why = "no room for failures"
			}
			answer = append(answer, why)
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	defer server.Close()
	sink := NewCollector(server.URL, server.Client())

	// A stage with a backlog stores several at once.
	in := auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"}
	var events []*driver.Event
	for _, ae := range []*v1alpha1.AuditEvent{auditing.NewRunCompleted(in), auditing.NewRunFailed(in), auditing.NewRunCompleted(in)} {
		e, err := driver.Prepare(ae, "")
		if err != nil {
			fmt.Println(err)
			return
		}
		events = append(events, e)
	}
	for i, err := range driver.Of(sink).Store(context.Background(), events) {
		var failed *auditing.WriteError
		if errors.As(err, &failed) {
			fmt.Println(i, failed.Class, failed.Err)
		} else {
			fmt.Println(i, "stored")
		}
	}
	// Output:
	// 0 stored
	// 1 permanent no room for failures
	// 2 stored
}
