package kubesource_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
)

func some(ns string, from, to int) (events []*v1alpha1.AuditEvent) {
	for i := from; i < to; i++ {
		events = append(events, event(ns, i))
	}
	return events
}

func TestFollowSurvivesAKilledAPIServer(t *testing.T) {
	k := testenv.SharedKube(t)
	a, b := k.Namespace(t), k.Namespace(t)
	to := sink(t, k.Config, "proxy")
	write(t, to, some(a, 0, 20)...)
	f := follow(t, source(t, k.Config, kubesource.Options{PageSize: 7}), &reading.Query{Namespaces: []string{a, b}})
	f.gets(t, namesOf(some(a, 0, 20)))
	write(t, to, some(b, 20, 40)...)
	f.gets(t, namesOf(some(b, 20, 40)))
	if err := k.KillAPIServer(); err != nil {
		t.Fatal(err)
	}
	if err := <-f.errs; !strings.Contains(err.Error(), "watch auditevents") {
		t.Errorf("error %v", err)
	}
	if err := k.RestartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, to, some(a, 40, 60)...)
	f.gets(t, namesOf(some(a, 40, 60)))
	write(t, to, event(b, 60))
	f.gets(t, namesOf(some(b, 60, 61))) // nothing came twice before it
}

func TestFollowListsAgainWhatItMissed(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	to := sink(t, k.Config, "proxy")
	write(t, to, some(ns, 0, 20)...)
	var watches atomic.Int64
	blind := make(chan struct{})
	cfg := through(k.Config, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		if r.URL.Query().Get("watch") == "" {
			return next.RoundTrip(r)
		}
		switch watches.Add(1) {
		case 1:
			<-blind
			return answer(r, http.StatusGone, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}`), nil
		case 2:
			return answer(r, http.StatusOK, `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}}`), nil
		}
		return next.RoundTrip(r)
	})
	f := follow(t, source(t, cfg, kubesource.Options{}), &reading.Query{Namespaces: []string{ns}})
	f.gets(t, namesOf(some(ns, 0, 20)))
	write(t, to, some(ns, 20, 40)...)
	close(blind)
	f.gets(t, namesOf(some(ns, 20, 40)))
	write(t, to, some(ns, 40, 60)...)
	f.gets(t, namesOf(some(ns, 40, 60)))
	if len(f.errs) > 0 {
		t.Errorf("a forgotten state is an error: %v", <-f.errs)
	}
	for i := 60; watches.Load() < 3; i++ { // until an event comes by a watch
		write(t, to, event(ns, i))
		f.gets(t, namesOf(some(ns, i, i+1)))
	}
}
