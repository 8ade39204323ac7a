package canonical_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/errgroup"
	"k8s.io/apimachinery/pkg/runtime"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/reading/vlsource"
	"github.com/paddock-dev/audit/sinks/kube"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
)

const (
	// eventsEnv is how many events go to every place. Without it there are as many as the race
	// detector lets through within seconds, and fewer for the API server.
	eventsEnv = "AUDIT_CANONICAL_EVENTS"
	// shortLine is the least that the sink takes for the length of a line.
	shortLine = 16 << 10
	century   = 100 * 365 * 24 * time.Hour
	patience  = 20 * time.Minute
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m))
}

// place is a destination, and how events are read back from it.
type place struct {
	name   string
	sink   auditing.Sink
	source reading.Source
	takes  func(i int, ae *v1alpha1.AuditEvent) bool
	// shortens says that some events do not fit.
	shortens bool
}

// witness is a destination that keeps the form of each event as a stage sees it.
type witness struct {
	driver.Base

	mu    sync.Mutex
	forms map[string][]byte
}

func (w *witness) Info() driver.Info { return driver.Info{Name: "witness", Component: "canon"} }

func (w *witness) Store(_ context.Context, events []*driver.Event) []error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range events {
		flat := &eventjson.Event{}
		flat.Copy(e.Object()) // the copy has the exact time of the event
		w.forms[e.Ref()] = canonical.Append(nil, flat)
	}
	return nil
}

func TestEveryPlaceGivesTheSameFormBack(t *testing.T) {
	events, kubeEvents := 3000, 500
	if n, err := strconv.Atoi(os.Getenv(eventsEnv)); err == nil {
		events, kubeEvents = n, n
	}
	server := testenv.SharedKube(t)
	ns := server.Namespace(t)
	start := time.Now()
	written, forms := generate(t, start, ns, events)
	whole := file(t)
	whole.gives(t, written, forms)
	for _, p := range []*place{lokiPlace(t, start), victoriaLogs(t, start), cluster(t, server, ns, kubeEvents)} {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			want, other := p.gives(t, written, forms)
			if p.shortens {
				areTold(t, whole, p, start, want, other)
			}
		})
	}
}

// gives writes the events that the place takes and reads them back. It returns the forms that
// a stage saw, and the names of the events that come back with another one, which a place has
// only when it shortens.
func (p *place) gives(t *testing.T, written []*v1alpha1.AuditEvent, forms map[string][]byte) (want map[string][]byte, other map[string]bool) {
	t.Helper()
	began := time.Now()
	want = p.write(t, written, forms)
	other = differing(t, want, p.read(t, want))
	t.Logf("%s: %d events in %s, %d with another form", p.name, len(want), time.Since(began).Round(time.Millisecond), len(other))
	if !p.shortens && len(other) > 0 {
		t.Errorf("%s: %d events come back with another form", p.name, len(other))
	}
	return want, other
}

// generate returns events that have their names, and the forms that a stage sees.
func generate(t *testing.T, now time.Time, ns string, events int) ([]*v1alpha1.AuditEvent, map[string][]byte) {
	t.Helper()
	g := newGenerator(uint64(now.UnixNano()), now, ns) //nolint:gosec // any number will do
	t.Logf("seed %d", now.UnixNano())
	w := &witness{forms: map[string][]byte{}}
	sink := driver.New(w)
	all := make([]*v1alpha1.AuditEvent, events)
	for i := range all {
		all[i] = g.event()
		if g.one(100) {
			g.large(all[i])
		}
		if g.one(20) {
			all[i].Namespace, all[i].OwnerReferences = "", nil
		}
		if err := sink.Write(t.Context(), all[i]); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.forms) != events {
		t.Fatalf("%d events have %d names", events, len(w.forms))
	}
	return all, w.forms
}

// write writes the events that the place takes, and returns their forms. The place has to
// refuse the others.
func (p *place) write(t *testing.T, events []*v1alpha1.AuditEvent, forms map[string][]byte) map[string][]byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	want := map[string][]byte{}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(128)
	for i, ae := range events {
		if p.takes(i, ae) {
			name := ref(ae)
			want[name] = forms[name]
			group.Go(func() error { return p.sink.Write(ctx, ae.DeepCopy()) })
		}
	}
	err := group.Wait()
	closing, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	defer cancel()
	if err = errors.Join(err, auditing.Close(closing, p.sink)); err != nil {
		t.Fatalf("%s: %v", p.name, err)
	}
	return want
}

func ref(ae *v1alpha1.AuditEvent) string {
	if ae.Namespace == "" {
		return ae.Name
	}
	return ae.Namespace + "/" + ae.Name
}

// read returns the forms of all events, for which it waits: VictoriaLogs shows rows some
// seconds after it has confirmed them.
func (p *place) read(t *testing.T, want map[string][]byte) map[string][]byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		forms := map[string][]byte{}
		for r, err := range p.source.Read(ctx, &reading.Query{}) {
			if err != nil {
				t.Fatalf("%s: %v", p.name, err)
			}
			forms[ref(r.Event)] = canonical.AppendObject(nil, r.Event)
		}
		if len(forms) >= len(want) {
			return forms
		}
		select {
		case <-ctx.Done():
			for name, form := range want {
				if forms[name] == nil {
					t.Logf("for example %s", readable(form))
					break
				}
			}
			t.Fatalf("%s holds %d events, want %d", p.name, len(forms), len(want))
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// differing returns some names of the events that came back with another form.
func differing(t *testing.T, want, got map[string][]byte) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for name, form := range want {
		if back, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		} else if !bytes.Equal(form, back) {
			names[name] = true
			if len(names) == 1 {
				t.Logf("%s\nwritten %s\nread    %s", name, readable(form), readable(back))
			}
		}
	}
	return names
}

func readable(form []byte) []byte {
	ae, err := decode(form)
	if err != nil {
		return fmt.Appendf(nil, "%x: %v", form, err)
	}
	return eventjson.Append(nil, ae)
}

// areTold fails unless reading tells of exactly the events with another form that their
// place has shortened them. It asks for those of a quarter of an hour: both places are read again.
func areTold(t *testing.T, whole, short *place, start time.Time, want map[string][]byte, shortened map[string]bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := &reading.Query{Since: start.Add(-15 * time.Minute)}
	told, other := map[string]bool{}, map[string]bool{}
	for name := range shortened {
		if event, err := decode(want[name]); err != nil {
			t.Fatal(err)
		} else if !event.Spec.Timestamp.Time.Before(last.Since) {
			other[name] = true
		}
	}
	for d, err := range reading.Diff(ctx, last, reading.Tolerance{}, whole.source, short.source) {
		if err != nil {
			t.Fatal(err)
		}
		name := ref(d.Entry.Event())
		if want[name] == nil {
			continue // the place does not take it
		}
		if d.Finding != reading.Shortened || d.Source != short.name {
			t.Errorf("%s: %s at %s", name, d.Finding, d.Source)
			for _, r := range d.Entry.Records {
				t.Logf("%s", eventjson.Append(nil, r.Event))
			}
		}
		told[name] = true
	}
	if len(other) == 0 || !maps.Equal(told, other) {
		t.Errorf("%d events have another form, and of %d it is told that they were shortened", len(other), len(told))
	}
}

func near(at, now time.Time) bool {
	return at.After(now.Add(-2*time.Hour)) && at.Before(now.Add(time.Hour))
}

func everything(int, *v1alpha1.AuditEvent) bool { return true }

func file(t *testing.T) *place {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	sink, err := log.NewFile(path, log.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return &place{name: "log", sink: sink, source: reading.Files("log", path), takes: everything}
}

// Loki stores what it has no time for under the time of sending. Other events of a far time
// would be found with more options, and after thousands of requests.
func lokiPlace(t *testing.T, now time.Time) *place {
	t.Helper()
	server := testenv.NewLoki(t, testenv.LokiOptions{})
	sink, err := loki.New(server.URL, loki.Options{MaxLineBytes: shortLine})
	if err != nil {
		t.Fatal(err)
	}
	source, err := lokisource.New("loki", server.URL, lokisource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &place{name: "loki", sink: sink, source: source, shortens: true, takes: func(_ int, ae *v1alpha1.AuditEvent) bool {
		at := ae.Spec.Timestamp.Time
		return at.Unix() < 0 || at.Year() > 2262 || near(at, now)
	}}
}

// VictoriaLogs keeps rows of the last 100 years, and of the next two days.
func victoriaLogs(t *testing.T, now time.Time) *place {
	t.Helper()
	server := testenv.SharedVictoriaLogs(t)
	sink, err := loki.New(server.URL, loki.Options{Server: loki.ServerVictoriaLogs, ServiceName: "canonical", Oldest: century})
	if err != nil {
		t.Fatal(err)
	}
	source, err := vlsource.New("victorialogs", server.URL, vlsource.Options{ServiceName: "canonical"})
	if err != nil {
		t.Fatal(err)
	}
	return &place{name: "victorialogs", sink: sink, source: source, takes: func(_ int, ae *v1alpha1.AuditEvent) bool {
		at := ae.Spec.Timestamp.Time
		return near(at, now) || at.Unix() <= 0 && at.Year() > 1960
	}}
}

// The API server takes events with a namespace.
func cluster(t *testing.T, server *testenv.Kube, ns string, n int) *place {
	t.Helper()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(server.Config, client.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	source, err := kubesource.New("cluster", server.Config, kubesource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &place{name: "cluster", sink: kube.Sink{Client: c, OwnerReferences: true}, source: source, takes: func(i int, ae *v1alpha1.AuditEvent) bool {
		return i < n && ae.Namespace == ns
	}}
}
