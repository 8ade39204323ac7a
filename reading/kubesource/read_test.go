package kubesource_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
)

func TestEveryPageSizeReadsEachEventOnce(t *testing.T) {
	k := testenv.SharedKube(t)
	a, b := k.Namespace(t), k.Namespace(t)
	var all []*v1alpha1.AuditEvent
	for i := range 100 {
		all = append(all, event([]string{a, b}[i%2], i))
	}
	write(t, sink(t, k.Config, "of-this-test"), all...)
	for _, size := range []int{0, 1, 7, 50, 10_000} {
		s := source(t, k.Config, kubesource.Options{PageSize: size})
		if got := read(t, s, &reading.Query{Namespaces: []string{b, a, b}}); !slices.Equal(got, namesOf(all)) {
			t.Errorf("pages of %d: %d events in this order, want %d", size, len(got), len(all))
		}
	}
	got := read(t, source(t, k.Config, kubesource.Options{}), &reading.Query{
		Since: noon.Add(10), Until: noon.Add(20), Components: []string{"of-this-test"},
	})
	if !slices.Equal(got, namesOf(all[10:20])) {
		t.Errorf("the window has %v", got)
	}
}

func TestEachConditionIsHeldAgainstEachEvent(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	long := strings.Repeat("a run with a long name ", 5)
	runs := []string{"run-1", long, "", "Ünïcode/run"}
	var all []*v1alpha1.AuditEvent
	for i, run := range runs {
		ae := event(ns, i)
		ae.Spec.RunRef = nil
		if run != "" {
			ae.Spec.RunRef = &v1alpha1.LocalReference{Name: run}
		}
		all = append(all, ae)
	}
	all[2].Spec.Kind, all[3].Spec.Decision = "third", v1alpha1.AuditDecisionWarned
	write(t, sink(t, k.Config, "proxy"), all[:2]...)
	write(t, sink(t, k.Config, ""), all[2:]...)
	s := source(t, k.Config, kubesource.Options{PageSize: 2})
	many := []string{all[1].Name}
	for i := range 100 {
		many = append(many, fmt.Sprint("no-such-", i))
	}
	for name, c := range map[string]struct {
		q    reading.Query
		want []*v1alpha1.AuditEvent
	}{
		"component":       {reading.Query{Components: []string{"proxy"}}, all[:2]},
		"no component":    {reading.Query{Components: []string{""}}, all[2:]},
		"kinds":           {reading.Query{Kinds: []v1alpha1.AuditKind{"third", "fourth"}}, all[2:3]},
		"decisions":       {reading.Query{Decisions: []v1alpha1.AuditDecision{"warned", "granted"}}, all[3:]},
		"long run":        {reading.Query{Runs: []string{long}}, all[1:2]},
		"odd run":         {reading.Query{Runs: []string{runs[3], "run-1"}}, []*v1alpha1.AuditEvent{all[0], all[3]}},
		"no run":          {reading.Query{Runs: []string{""}}, all[2:3]},
		"label of a run":  {reading.Query{Runs: []string{all[1].Labels[v1alpha1.LabelRun]}}, nil},
		"a name":          {reading.Query{Names: []string{all[2].Name}}, all[2:3]},
		"many names":      {reading.Query{Names: many}, all[1:2]},
		"many components": {reading.Query{Components: append(many, "proxy")}, all[:2]},
		"hostile":         {reading.Query{Components: []string{"a),paddock.dev/kind in (b"}}, nil},
		"text":            {reading.Query{Grep: "number 1"}, all[1:2]},
	} {
		c.q.Namespaces = []string{ns}
		if got := read(t, s, &c.q); !slices.Equal(got, namesOf(c.want)) {
			t.Errorf("%s: %v, want %v", name, got, namesOf(c.want))
		}
	}
	if err := failure(t, s, &reading.Query{Namespaces: []string{"../../pods"}}); !strings.Contains(err.Error(), "../../pods") {
		t.Errorf("a hostile namespace: %v", err)
	}
}

// The server forgets the state that is listed after each of the first pages, and offers no
// place to go on, as one does whose list is served by an older replica.
func TestForgottenStateIsListedAgainFromTheStart(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	var all []*v1alpha1.AuditEvent
	for i := range 40 {
		all = append(all, event(ns, i))
	}
	write(t, sink(t, k.Config, "proxy"), all...)
	var pages, gone atomic.Int64
	cfg := through(k.Config, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		if r.URL.Query().Get("continue") != "" && pages.Add(1)%3 == 0 && gone.Add(1) <= 2 {
			return answer(r, http.StatusGone, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}`), nil
		}
		return next.RoundTrip(r)
	})
	if got := read(t, source(t, cfg, kubesource.Options{PageSize: 7}), &reading.Query{Namespaces: []string{ns}}); !slices.Equal(got, namesOf(all)) {
		t.Errorf("%d events, want %d", len(got), len(all))
	}
	if gone.Load() < 2 {
		t.Errorf("the server forgot %d times", gone.Load())
	}
}

func TestCompactionDuringAListLosesNothing(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	var all []*v1alpha1.AuditEvent
	for i := range 40 {
		all = append(all, event(ns, i))
	}
	write(t, sink(t, k.Config, "proxy"), all...)
	var pages, gone atomic.Int64
	cfg := through(k.Config, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		if r.URL.Query().Get("continue") != "" && pages.Add(1) == 2 {
			write(t, sink(t, k.Config, "proxy"), event(ns, 1000))
			if err := errors.Join(k.CompactEtcd(r.Context()), k.KillAPIServer(), k.RestartAPIServer(r.Context())); err != nil {
				t.Error(err)
			}
		}
		resp, err := next.RoundTrip(r)
		if err == nil && resp.StatusCode == http.StatusGone {
			gone.Add(1)
		}
		return resp, err
	})
	got := read(t, source(t, cfg, kubesource.Options{PageSize: 7}), &reading.Query{Namespaces: []string{ns}, Until: noon.Add(500)})
	if !slices.Equal(got, namesOf(all)) {
		t.Errorf("%d events, want %d", len(got), len(all))
	}
	if gone.Load() != 1 {
		t.Errorf("the server answered 410 %d times, want 1", gone.Load())
	}
}

func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

func TestShortenedAndHostileTextsComeBackAsStored(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: ns, Kind: "odd", Decision: v1alpha1.AuditDecisionGranted, When: noon,
		RunName: "a\nrun", Reason: strings.Repeat("ü<&>\u2028 ", 1000), Host: "example.com", Port: 443,
	})
	ae.Annotations = map[string]string{"example.com/a": "b"}
	written := ae.DeepCopy()
	write(t, sink(t, k.Config, "proxy"), written)
	records := 0
	for r, err := range source(t, k.Config, kubesource.Options{}).Read(t.Context(), &reading.Query{Namespaces: []string{ns}}) {
		if err != nil {
			t.Fatal(err)
		}
		records++
		if !r.Time.Equal(noon) || r.Source != "cluster" || r.Event.Name != written.Name || r.Event.Annotations["example.com/a"] != "b" ||
			!strings.Contains(r.Event.Spec.Reason, "sha256") {
			t.Errorf("read back %+v", r.Event)
		}
	}
	if records != 1 {
		t.Errorf("%d records, want 1", records)
	}
}

func TestLeavingTheLoopEarlyIsFine(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	write(t, sink(t, k.Config, "proxy"), event(ns, 1), event(ns, 2))
	s := source(t, k.Config, kubesource.Options{})
	for range s.Read(t.Context(), &reading.Query{Namespaces: []string{ns}}) {
		break
	}
	for range s.Follow(t.Context(), &reading.Query{Namespaces: []string{ns}}) {
		break
	}
}
