package sinktest

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

var storedClauses = []Clause{{
	Name: "stores what it was given",
	Explanation: `After nil from Write, the destination holds every field of spec as it was given.
A sink that maps the event to a format of its own forgets a field here, or cuts it
although it is not too long.`,
	check: storesWhatItWasGiven,
}, {
	Name: "stores the exact time",
	Explanation: `auditing.EventTime of the stored event is the time of the decision, to the
nanosecond. metav1.Time drops the fraction of a second in JSON, so the annotation
` + v1alpha1.AnnotationTimestamp + `, which package driver sets, has to be stored as well.`,
	check: storesTheExactTime,
}, {
	Name: "stores a kind of the caller's own",
	Explanation: `Kind is open: any DNS label of at most 63 characters is a valid one, so that
components which this library has never heard of can record theirs.`,
	check: storesAKindOfTheCallersOwn,
}, {
	Name: "labels what it stores",
	Explanation: `The stored event carries the labels ` + v1alpha1.LabelRun + `, ` + v1alpha1.LabelDecision + `
and ` + v1alpha1.LabelKind + `, equal to spec whatever the caller put there: readers select by
them. Package driver sets them.`,
	check: labelsWhatItStores,
}, {
	Name: "stores any run name in full and labels it safely",
	Explanation: `A run's name may be longer than a label value and hold characters that no label
may. It stands in full in spec.runRef, and the label is auditing.RunLabel of it.`,
	check: storesAnyRunName,
}, {
	Name: "names an unnamed event before the first attempt",
	Explanation: `An event without a name gets one in place, from its generateName, before it is
sent, and it keeps that name when the attempt fails. Otherwise a retry after a
timeout is a second event.`,
	check: namesAnUnnamedEvent,
}}

// complete returns an event in which every field is set.
func (p *probe) complete() *v1alpha1.AuditEvent {
	ae := p.event()
	start := metav1.NewTime(ae.Spec.Timestamp.Add(-time.Minute).Truncate(time.Second))
	end := metav1.NewTime(start.Add(30 * time.Second))
	ae.Labels = map[string]string{v1alpha1.LabelComponent: "conformance"}
	ae.Spec.Destination = &v1alpha1.AuditDestination{Host: "api.example.com", Port: 443}
	ae.Spec.Credential = &v1alpha1.AuditCredential{Name: "token-1", Provider: "vault", Purpose: "clone"}
	ae.Spec.MatchedPolicy = &v1alpha1.LocalReference{Name: "deny-all"}
	ae.Spec.Count = 3
	ae.Spec.SampleDestinations = []v1alpha1.AuditDestination{{Host: "a.example.com", Port: 80}, {Host: "192.0.2.7", Port: 65535}}
	ae.Spec.WindowStart, ae.Spec.WindowEnd = &start, &end
	ae.Spec.Detail = map[string]string{"command": `git clone "a b"`, "empty": "", "unicode": "räksmörgås 😀"}
	return ae
}

func storesWhatItWasGiven(p *probe) error {
	var errs []error
	for _, decision := range []v1alpha1.AuditDecision{
		v1alpha1.AuditDecisionGranted, v1alpha1.AuditDecisionDenied, v1alpha1.AuditDecisionWarned,
	} {
		ae := p.complete()
		ae.Spec.Decision = decision
		want := ae.DeepCopy()
		got, err := p.writeAndRead(ae)
		if err != nil {
			return err
		}
		errs = append(errs, sameDecision(&want.Spec, &got.Spec))
	}
	return errors.Join(errs...)
}

// sameDecision compares the whole spec. It compares times to the second.
func sameDecision(want, got *v1alpha1.AuditEventSpec) error {
	w, g := want.DeepCopy(), got.DeepCopy()
	for _, s := range []*v1alpha1.AuditEventSpec{w, g} {
		s.Timestamp = toSecond(s.Timestamp)
		for _, t := range []*metav1.Time{s.WindowStart, s.WindowEnd} {
			if t != nil {
				*t = toSecond(*t)
			}
		}
	}
	if equality.Semantic.DeepEqual(w, g) {
		return nil
	}
	return fmt.Errorf("stored spec differs:\n got  %s\n want %s", printed(g), printed(w))
}

func toSecond(t metav1.Time) metav1.Time { return metav1.NewTime(t.UTC().Truncate(time.Second)) }

func storesTheExactTime(p *probe) error {
	ae := p.event()
	want := ae.Spec.Timestamp.Time
	got, err := p.writeAndRead(ae)
	if err != nil {
		return err
	}
	if at := auditing.EventTime(got); !at.Equal(want) {
		return fmt.Errorf("auditing.EventTime of the stored event is %s, want %s",
			at.UTC().Format(time.RFC3339Nano), want.Format(time.RFC3339Nano))
	}
	return nil
}

func storesAKindOfTheCallersOwn(p *probe) error {
	var errs []error
	for _, kind := range []v1alpha1.AuditKind{"z", "tea-brewed-2", v1alpha1.AuditKind(strings.Repeat("k", validation.DNS1123LabelMaxLength))} {
		ae := p.event()
		ae.Spec.Kind = kind
		got, err := p.writeAndRead(ae)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("kind %q: %w", kind, err))
		case got.Spec.Kind != kind:
			errs = append(errs, fmt.Errorf("stored kind is %q, want %q", got.Spec.Kind, kind))
		}
	}
	return errors.Join(errs...)
}

func labelsWhatItStores(p *probe) error {
	ae := p.event()
	ae.Labels = map[string]string{v1alpha1.LabelDecision: "granted", v1alpha1.LabelRun: "not-this-one"}
	got, err := p.writeAndRead(ae)
	if err != nil {
		return err
	}
	return errors.Join(
		labelled(got, v1alpha1.LabelRun, "run-7"),
		labelled(got, v1alpha1.LabelDecision, "denied"),
		labelled(got, v1alpha1.LabelKind, "egress-block"),
	)
}

func labelled(got *v1alpha1.AuditEvent, key, want string) error {
	if value := got.Labels[key]; value != want {
		return fmt.Errorf("stored label %s is %q, want %q", key, value, want)
	}
	return nil
}

func storesAnyRunName(p *probe) error {
	var errs []error
	for _, run := range []string{
		strings.Repeat("run/ä b_", 40)[:300],
		"UPPER..--", "-", "a\"b\\c\n😀",
	} {
		run = strings.ToValidUTF8(run, "")
		ae := p.event()
		ae.Spec.RunRef.Name = run
		got, err := p.writeAndRead(ae)
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("run %q: %w", run, err))
		case got.Spec.RunRef == nil || got.Spec.RunRef.Name != run:
			errs = append(errs, fmt.Errorf("stored runRef is %s, want the name %q", printed(got.Spec.RunRef), run))
		default:
			errs = append(errs, labelled(got, v1alpha1.LabelRun, auditing.RunLabel(run)))
		}
	}
	return errors.Join(errs...)
}

func namesAnUnnamedEvent(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	ae := p.unnamed()
	if err := p.mustWrite(subject.Sink, ae); err != nil {
		return err
	}
	if err := isNamed(ae); err != nil {
		return fmt.Errorf("after a Write: %w", err)
	}
	if _, err := p.readOne(subject, ae.Name); err != nil {
		return err
	}
	if p.h.Failing == nil {
		return nil
	}
	fault, err := p.failing()
	if err != nil {
		return err
	}
	ae = p.unnamed()
	if _, broken := p.refused(p.ctx, fault.Sink, ae); broken != nil {
		return broken
	}
	if err := isNamed(ae); err != nil {
		return fmt.Errorf("after a Write that failed: %w", err)
	}
	return nil
}

func isNamed(ae *v1alpha1.AuditEvent) error {
	if len(ae.Name) <= len(ae.GenerateName) || !strings.HasPrefix(ae.Name, ae.GenerateName) {
		return fmt.Errorf("the event's name is %q, want generateName %q and more", ae.Name, ae.GenerateName)
	}
	return nil
}
