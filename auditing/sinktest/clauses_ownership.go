package sinktest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/paddock-dev/audit/api/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

var ownershipClauses = []Clause{{
	Name: "keeps nothing of the event",
	Explanation: `The caller owns the event again when Write returns, whether with nil or because
its context ended: changing it then changes nothing that is stored, and is no data
race. A sink that goes on in the background works on a deep copy.`,
	check: keepsNothing,
}, {
	Name: "leaves the caller's spec as it is",
	Explanation: `Write may fill in metadata, and never changes what was decided: in the caller's
event a text that is too long for the destination remains whole. A sink shortens,
sorts and normalises in a copy.`,
	check: leavesSpecAlone,
}}

func keepsNothing(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	const events = 4
	var names []string
	var wants []*v1alpha1.AuditEvent
	for range events {
		ae := p.complete()
		names, wants = append(names, ae.Name), append(wants, ae.DeepCopy())
		if err := p.mustWrite(subject.Sink, ae); err != nil {
			return err
		}
		overwrite(ae)
	}
	got, err := p.read(subject, names)
	if err != nil {
		return fmt.Errorf("after the caller changed its event: %w", err)
	}
	for i := range got {
		if err := sameDecision(&wants[i].Spec, &got[i].Spec); err != nil {
			return fmt.Errorf("after the caller changed its event: %w", err)
		}
	}
	return p.keepsNothingOfACancelledWrite()
}

// keepsNothingOfACancelledWrite leaves it to the race detector to see a sink
// that still reads the event when the destination answers at last.
func (p *probe) keepsNothingOfACancelledWrite() error {
	if p.h.Hanging == nil {
		return nil
	}
	fault, err := p.hanging()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(p.ctx, endsAfter)
	defer cancel()
	ae := p.complete()
	if _, broken := p.write(ctx, fault.Sink, ae); broken != nil {
		return broken
	}
	overwrite(ae)
	fault.Release()
	return nil
}

// overwrite changes every part of an event that a sink could have kept.
func overwrite(ae *v1alpha1.AuditEvent) {
	for _, m := range []map[string]string{ae.Labels, ae.Annotations, ae.Spec.Detail} {
		for k := range m {
			m[k] = "overwritten"
		}
	}
	s := &ae.Spec
	s.RunRef.Name, s.MatchedPolicy.Name, s.Reason = "overwritten", "overwritten", "overwritten"
	s.Decision, s.Kind = v1alpha1.AuditDecisionGranted, "overwritten"
	*s.Destination = v1alpha1.AuditDestination{Host: "overwritten", Port: 1}
	*s.Credential = v1alpha1.AuditCredential{Name: "overwritten"}
	s.SampleDestinations[0].Host = "overwritten"
	*s.WindowStart, *s.WindowEnd, s.Timestamp = metav1.Time{}, metav1.Time{}, metav1.Time{}
	s.Count = 99
}

func leavesSpecAlone(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	ordinary, hostile := p.complete(), p.complete()
	hostile.Spec.Reason = strings.Repeat("too long \xff", 2000)
	hostile.Spec.RunRef.Name = "Run/with odd\x00characters"
	hostile.Spec.Destination.Port = 70_000
	hostile.Spec.SampleDestinations = make([]v1alpha1.AuditDestination, 5)
	hostile.Spec.Detail["long"] = strings.Repeat("long", 5000)
	for _, ae := range []*v1alpha1.AuditEvent{ordinary, hostile} {
		before := ae.Spec.DeepCopy()
		if err := p.mustWrite(subject.Sink, ae); err != nil {
			return err
		}
		if err := unchanged(before, &ae.Spec); err != nil {
			return err
		}
	}
	if p.h.Failing == nil {
		return nil
	}
	fault, err := p.failing()
	if err != nil {
		return err
	}
	ae := p.complete()
	before := ae.Spec.DeepCopy()
	if _, broken := p.refused(p.ctx, fault.Sink, ae); broken != nil {
		return broken
	}
	if err := unchanged(before, &ae.Spec); err != nil {
		return fmt.Errorf("by a Write that failed: %w", err)
	}
	return nil
}

func unchanged(before, after *v1alpha1.AuditEventSpec) error {
	if reflect.DeepEqual(before, after) {
		return nil
	}
	return errors.New("the caller's spec was changed:\n got  " + printed(after) + "\n want " + printed(before))
}
