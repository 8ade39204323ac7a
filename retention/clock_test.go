package retention_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
)

// Events that were stored seconds ago, and a reaper whose clock is that far ahead.
func TestReaperGoesByTheServersClock(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	ae := event(ns, "fresh", "egress-allow", 8*day)
	create(t, c, ae)
	for ahead, says := range map[time.Duration]string{
		0: "", 4 * time.Minute: "", -4 * time.Minute: "",
		31 * day: "744h0m", 6 * time.Minute: "apart", -time.Hour: "apart",
	} {
		restore := retention.SetLocalClock(func() time.Time { return time.Now().Add(ahead) })
		r, err := retention.New(server.Config, restPolicy(retention.Rule{Namespace: ns, Keep: day}), retention.Options{Logger: quiet})
		restore()
		if err != nil {
			t.Fatal(err)
		}
		sum, err := r.Pass(t.Context())
		switch {
		case says == "" && (err != nil || sum.Seen == 0 || sum.Expired != 0):
			t.Errorf("%s ahead: %+v, %v", ahead, sum, err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says) || sum.Deleted != 0):
			t.Errorf("%s ahead: %+v, %v", ahead, sum, err)
		}
	}
	same(t, names(t, c, ns), []string{"fresh"})
}

// dateless removes the header Date.
type dateless struct{ http.RoundTripper }

func (d dateless) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Header.Del("Date")
	}
	return resp, err
}

func TestReaperDeletesNothingWithoutTheServersTime(t *testing.T) {
	cfg := rest.CopyConfig(testenv.SharedKube(t).Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return dateless{next} })
	r, err := retention.New(cfg, retention.Policy{}, retention.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	if sum, err := r.Pass(t.Context()); err == nil || !strings.Contains(err.Error(), "Date") || sum.Deleted != 0 {
		t.Errorf("%+v, %v", sum, err)
	}
}
