package seal_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/verify"
)

// auditor has a long-term key, which vouches for trails, and the trust in it.
type auditor struct {
	private   string
	authority seal.Authority
	trust     *verify.Trust
}

// newAuditor returns an auditor who expects every event of the component proxy from since on to be
// sealed; none when since is zero.
func newAuditor(t testing.TB, since time.Time) *auditor {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "root")
	must(t, err)
	authority, err := seal.LongTermKey(private)
	must(t, err)
	text := fmt.Sprintf("keys: [{name: root, key: %q, components: [proxy]}]\n", public)
	if !since.IsZero() {
		text += fmt.Sprintf("components: [{name: proxy, sealedSince: %q}]\n", since.UTC().Format(time.RFC3339Nano))
	}
	trust, err := verify.ParseTrust([]byte(text))
	must(t, err)
	return &auditor{private, authority, trust}
}

// options are those of a stage whose trails the auditor trusts, with quick checkpoints.
func (a *auditor) options() seal.Options {
	return seal.Options{Component: "proxy", Namespace: "default", Authority: a.authority, Interval: 5 * time.Millisecond}
}

// stored are the events that a place holds.
type stored struct {
	place  string
	events []v1alpha1.AuditEvent
}

// mustBeIntact verifies what places hold, and returns the report.
func (a *auditor) mustBeIntact(t testing.TB, places ...stored) *verify.Report {
	t.Helper()
	return a.mustBeIntactBy(t, verify.Options{}, places...)
}

// mustBeIntactBy is mustBeIntact with options.
func (a *auditor) mustBeIntactBy(t testing.TB, o verify.Options, places ...stored) *verify.Report {
	t.Helper()
	v := verify.New(a.trust, o)
	for _, p := range places {
		for i := range p.events {
			v.Add(reading.NewRecord(&p.events[i], p.place, fmt.Sprint(i)))
		}
	}
	return intact(t, v.Report())
}

// fileMustBeIntact verifies a log file.
func (a *auditor) fileMustBeIntact(t testing.TB, path string) *verify.Report {
	t.Helper()
	v := verify.New(a.trust, verify.Options{})
	must(t, v.Read(t.Context(), reading.Files("log", path)))
	return intact(t, v.Report())
}

// intact fails the test when a report has another verdict, or a finding above a note.
func intact(t testing.TB, r *verify.Report) *verify.Report {
	t.Helper()
	for _, f := range r.Findings {
		if f.Level != verify.LevelNote {
			t.Errorf("false alarm: %+v", f)
		}
	}
	if r.Verdict != verify.Intact {
		t.Errorf("the verdict is %s", r.Verdict)
	}
	return r
}
