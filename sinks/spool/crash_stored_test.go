package spool_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
)

// kubeNames returns the names of the objects in the order of their times, because the
// objects of a batch are created at the same time.
func kubeNames(t *testing.T, k *testenv.Kube, ns string) []string {
	t.Helper()
	c, err := kubeClient(k.Config)
	if err != nil {
		t.Fatal(err)
	}
	var events v1alpha1.AuditEventList
	if err := c.List(t.Context(), &events, client.InNamespace(ns)); err != nil {
		t.Fatal(err)
	}
	return byTime(events.Items)
}

// byTime returns the names of events in the order of their times.
func byTime(events []v1alpha1.AuditEvent) []string {
	slices.SortStableFunc(events, func(a, b v1alpha1.AuditEvent) int {
		return auditing.EventTime(&a).Compare(auditing.EventTime(&b))
	})
	names := make([]string, len(events))
	for i := range events {
		names[i] = events[i].Name
	}
	return names
}

// logsNames returns the names in the rows, in their order. VictoriaLogs stores a row twice
// that is sent twice. Its readers take equal rows for one, and so does this function.
func logsNames(t *testing.T, l *testenv.VictoriaLogs, ns string) []string {
	t.Helper()
	const day = 24 * time.Hour
	rows, err := l.Query(t.Context(), "", fmt.Sprintf("{namespace=%q}", ns), time.Now().Add(-day), time.Now().Add(day))
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	rows = slices.DeleteFunc(rows, func(row testenv.Row) bool {
		again := seen[row.Line]
		seen[row.Line] = true
		return again
	})
	events := make([]v1alpha1.AuditEvent, len(rows))
	for i, row := range rows {
		if err := json.Unmarshal([]byte(row.Line), &events[i]); err != nil {
			t.Fatalf("a row that is no event: %v", err)
		}
	}
	return byTime(events)
}

// check compares the events that are stored with those that were confirmed. The names of
// one writer sort in the order in which it wrote them.
func check(t *testing.T, to string, confirmed, stored []string) {
	t.Helper()
	times := map[string]int{}
	last := map[string]string{}
	for _, name := range stored {
		times[name]++
		writer, _, _ := strings.Cut(name, "-")
		if name <= last[writer] {
			t.Errorf("%s: %s came after %s", to, name, last[writer])
		}
		last[writer] = name
	}
	for _, name := range confirmed {
		if times[name] != 1 {
			t.Errorf("%s: %s was confirmed and is stored %d times", to, name, times[name])
		}
	}
	if len(confirmed) == 0 {
		t.Errorf("%s: nothing was confirmed: the test shows nothing", to)
	}
}
