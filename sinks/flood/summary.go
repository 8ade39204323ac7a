package flood

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

const (
	// maxSamples of what differs stand in a summary.
	maxSamples = v1alpha1.MaxSampleDestinations
	// maxDifferent bounds how far different values are counted.
	maxDifferent = 1000
)

// different counts the different values among many.
type different[T comparable] struct {
	seen    map[T]struct{}
	samples []T // the first of them
}

func (d *different[T]) add(v T) {
	if len(d.seen) > maxDifferent || len(d.samples) > 0 && d.samples[0] == v {
		return
	}
	if _, ok := d.seen[v]; ok {
		return
	}
	if d.seen == nil {
		d.seen = map[T]struct{}{}
	}
	d.seen[v] = struct{}{}
	if len(d.samples) < maxSamples {
		d.samples = append(d.samples, v)
	}
}

// common returns the value when there was one only.
func (d *different[T]) common() (v T, ok bool) {
	if len(d.seen) == 1 {
		return d.samples[0], true
	}
	return v, false
}

// number says how many there were.
func (d *different[T]) number() string {
	if len(d.seen) > maxDifferent {
		return "more than " + strconv.Itoa(maxDifferent)
	}
	return strconv.Itoa(len(d.seen))
}

// facts are what a summary says of its events.
type facts struct {
	first, last  time.Time
	destinations different[v1alpha1.AuditDestination]
	runs         different[string]
	policies     different[string]
	reasons      different[string]
	credentials  different[v1alpha1.AuditCredential]
	owners       []metav1.OwnerReference // of all of them
	detailed     int                     // events with details, which a summary leaves out
}

func (f *facts) add(e *driver.Event) {
	s := e.Spec()
	at := e.Time()
	first, last := at, at
	if s.WindowStart != nil && s.WindowStart.Time.Before(first) {
		first = s.WindowStart.Time
	}
	if s.WindowEnd != nil && s.WindowEnd.After(last) {
		last = s.WindowEnd.Time
	}
	if f.first.IsZero() {
		f.first, f.last, f.owners = first, last, e.Owners()
	}
	if first.Before(f.first) {
		f.first = first
	}
	if last.After(f.last) {
		f.last = last
	}
	if !slices.EqualFunc(f.owners, e.Owners(), func(a, b metav1.OwnerReference) bool { return a.UID == b.UID }) {
		f.owners = nil
	}
	if s.Destination != nil {
		f.destinations.add(*s.Destination)
	}
	for _, d := range s.SampleDestinations {
		f.destinations.add(d)
	}
	for range e.Detail() {
		f.detailed++
		break
	}
	f.runs.add(nameOf(s.RunRef))
	f.policies.add(nameOf(s.MatchedPolicy))
	f.reasons.add(s.Reason)
	var credential v1alpha1.AuditCredential
	if s.Credential != nil {
		credential = *s.Credential
	}
	f.credentials.add(credential)
}

func nameOf(ref *v1alpha1.LocalReference) string {
	if ref == nil {
		return ""
	}
	return ref.Name
}

// summarise makes the event of a sealed group: its only event, or a summary.
func (s *stage) summarise(g *group) (*driver.Event, error) {
	if len(g.members) == 1 {
		return g.members[0].event, nil
	}
	var f facts
	for _, m := range g.members {
		f.add(m.event)
	}
	in := auditing.EventInput{
		Kind: g.key.kind, Decision: g.key.decision, Namespace: g.key.namespace,
		Count:              int32(g.count), // admitNew keeps it within bounds
		SampleDestinations: f.destinations.samples,
		WindowStart:        f.first, WindowEnd: f.last, When: f.last,
		Detail: f.detail(),
	}
	in.RunName, _ = f.runs.common()
	in.MatchedPolicy, _ = f.policies.common()
	if c, ok := f.credentials.common(); ok {
		in.CredentialName, in.Provider, in.Purpose = c.Name, c.Provider, c.Purpose
	}
	in.Reason = g.reason(&f)
	ae := summaryEvent(in)
	ae.OwnerReferences = f.owners // which Prepare copies
	return driver.Prepare(ae, g.key.component)
}

// summaryEvent builds the event, of the kind that its summaries have.
func summaryEvent(in auditing.EventInput) *v1alpha1.AuditEvent {
	if in.Kind != v1alpha1.AuditKindEgressBlock {
		return auditing.NewEvent(in)
	}
	in.Kind = v1alpha1.AuditKindEgressBlockSummary
	ae := auditing.NewEvent(in)
	ae.GenerateName = "ae-egress-" // as auditing.NewEgressBlockSummary does
	return ae
}

// reason says how many events were collapsed, why, and the reason in the events.
func (g *group) reason(f *facts) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d events collapsed", len(g.members))
	if g.count != int64(len(g.members)) {
		fmt.Fprintf(&b, ", %d decisions", g.count)
	}
	if g.window == nil {
		fmt.Fprintf(&b, " across %s runs, for the component is over its rate", f.runs.number())
	}
	if reason, ok := f.reasons.common(); ok && reason != "" {
		b.WriteString(": " + reason)
	}
	return b.String()
}

// detail has what the fields of a summary cannot hold: the exact times, which JSON cuts
// to seconds, and how many different values there were where the summary has few of
// them or none.
func (f *facts) detail() map[string]string {
	d := map[string]string{
		"windowStart": f.first.UTC().Format(time.RFC3339Nano),
		"windowEnd":   f.last.UTC().Format(time.RFC3339Nano),
	}
	if len(f.destinations.seen) > maxSamples {
		d["differentDestinations"] = f.destinations.number()
	}
	few := func(key string, v *different[string]) {
		if _, same := v.common(); !same {
			d["different"+key] = fmt.Sprintf("%s, as %q", v.number(), v.samples)
		}
	}
	few("Runs", &f.runs)
	few("Policies", &f.policies)
	few("Reasons", &f.reasons)
	if _, same := f.credentials.common(); !same {
		d["differentCredentials"] = f.credentials.number()
	}
	if f.detailed > 0 {
		d["detailsOmitted"] = fmt.Sprintf("those of %d events", f.detailed)
	}
	return d
}
