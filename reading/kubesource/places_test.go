package kubesource_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/reading/vlsource"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/multi"
)

// Three places get 5,000 events. Then the API server loses some, VictoriaLogs gets others
// with another content, and Loki never got some.
func TestDiffOfThreeServersNamesWhatWasChanged(t *testing.T) {
	k, v, l := testenv.SharedKube(t), testenv.SharedVictoriaLogs(t), testenv.NewLoki(t, testenv.LokiOptions{})
	ns := k.Namespace(t)
	cluster := sink(t, k.Config, "proxy")
	toVL := logSink(t, v.URL, loki.Options{Server: loki.ServerVictoriaLogs, Oldest: 100 * 365 * 24 * time.Hour, ServiceName: ns})
	toLoki := logSink(t, l.URL, loki.Options{ServiceName: ns})
	all := fanOut(t, cluster, toVL, toLoki)
	twoOnly := fanOut(t, cluster, toVL)

	const n = 5000
	var events []*v1alpha1.AuditEvent
	for i := range n {
		events = append(events, event(ns, i))
	}
	var want []string
	write(t, all, events[100:]...)
	write(t, twoOnly, events[:20]...)
	for _, ae := range events[:20] {
		want = append(want, "missing loki "+ae.Name)
	}
	for _, ae := range events[20:100] { // the lake gets another content than the others
		changed := ae.DeepCopy()
		changed.Spec.Reason = "edited"
		write(t, fanOut(t, cluster, toLoki), ae)
		write(t, toVL, changed)
		want = append(want, "differs lake "+ae.Name)
	}
	for _, ae := range events[4000:4030] {
		object := &v1alpha1.AuditEvent{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: ae.Name}}
		if err := cluster.Client.(client.Client).Delete(t.Context(), object); err != nil {
			t.Fatal(err)
		}
		want = append(want, "missing cluster "+ae.Name)
	}
	if _, err := v.Query(t.Context(), "", "*", time.Now(), time.Now()); err != nil { // it flushes
		t.Fatal(err)
	}

	lake, err := vlsource.New("lake", v.URL, vlsource.Options{ServiceName: ns})
	if err != nil {
		t.Fatal(err)
	}
	second, err := lokisource.New("loki", l.URL, lokisource.Options{ServiceName: ns})
	if err != nil {
		t.Fatal(err)
	}
	sources := []reading.Source{source(t, k.Config, kubesource.Options{}), lake, second}
	q := &reading.Query{Namespaces: []string{ns}}
	var got []string
	for d, err := range reading.Diff(t.Context(), q, reading.Tolerance{}, sources...) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(d.Finding, " ", d.Source, " ", d.Entry.Event().Name))
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d findings, want %d: %.500s", len(got), len(want), fmt.Sprint(got))
	}
	entries := 0
	for _, err := range reading.Merge(t.Context(), q, sources...) {
		if err != nil {
			t.Fatal(err)
		}
		entries++
	}
	if entries != n {
		t.Errorf("%d entries, want %d", entries, n)
	}
}

func logSink(tb testing.TB, address string, opts loki.Options) *loki.Sink {
	tb.Helper()
	opts.Component = "proxy"
	s, err := loki.New(address, opts)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// fanOut returns a multi of these, which closes none of them.
func fanOut(tb testing.TB, sinks ...auditing.Sink) auditing.Sink {
	tb.Helper()
	var children []multi.Child
	for i, s := range sinks {
		children = append(children, multi.Child{Name: fmt.Sprint("child-", i), Sink: s})
	}
	s, err := multi.New(children, multi.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	return s
}
