package log

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// parse reads the events of a log, byte-identical repeats folded, and says which
// line is none.
func parse(text []byte) ([]v1alpha1.AuditEvent, error) {
	if len(text) == 0 {
		return nil, nil
	}
	seen := map[string]bool{}
	var events []v1alpha1.AuditEvent
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		if seen[line] {
			continue
		}
		seen[line] = true
		var ae v1alpha1.AuditEvent
		if err := json.Unmarshal([]byte(line), &ae); err != nil {
			return events, fmt.Errorf("line %.200q: %w", line, err)
		}
		events = append(events, ae)
	}
	return events, nil
}

func mustParse(t *testing.T, text []byte) []v1alpha1.AuditEvent {
	t.Helper()
	events, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

// readAll reads the file at path and its backups, compressed or not.
func readAll(path string) ([]byte, error) {
	ext := filepath.Ext(path)
	names, err := filepath.Glob(strings.TrimSuffix(path, ext) + "*" + ext + "*")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var all bytes.Buffer
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		var r io.Reader = f
		if strings.HasSuffix(name, ".gz") {
			if r, err = gzip.NewReader(f); err != nil {
				return nil, err
			}
		}
		_, err = all.ReadFrom(r)
		_ = f.Close()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Base(name), err)
		}
	}
	return all.Bytes(), nil
}

// newEvent returns an event as a component would write it.
func newEvent(name string) *v1alpha1.AuditEvent {
	return &v1alpha1.AuditEvent{
		ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "team-a"},
		Spec: v1alpha1.AuditEventSpec{
			RunRef:        &v1alpha1.LocalReference{Name: "run-7"},
			Decision:      v1alpha1.AuditDecisionDenied,
			Kind:          v1alpha1.AuditKindEgressBlock,
			Timestamp:     metav1.NewTime(time.Date(2026, 3, 1, 10, 0, 0, 250_000_000, time.UTC)),
			Destination:   &v1alpha1.AuditDestination{Host: "evil.example", Port: 443},
			MatchedPolicy: &v1alpha1.LocalReference{Name: "default-deny"},
			Reason:        "not on the list",
			Detail:        map[string]string{"method": "CONNECT", "proto": "h2", "agent": "curl"},
		},
	}
}
