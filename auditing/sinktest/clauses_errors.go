package sinktest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

var errorClauses = []Clause{{
	Name: "wraps every error in ErrAuditWrite",
	Explanation: `errors.Is(err, auditing.ErrAuditWrite) holds for every error of Write, whether the
event, the context or the destination is to blame. A caller needs no other test.
Package driver wraps; a return in front of it does not.`,
	check: wrapsEveryError,
}, {
	Name: "describes every error in a WriteError",
	Explanation: `errors.As finds an *auditing.WriteError that names the sink, the event and one of
the classes, and has the cause: retries, alarms and people go by it.`,
	check: describesEveryError,
}, {
	Name: "keeps the cause of an error",
	Explanation: `The destination's own error is still in the chain, so that apierrors.IsForbidden,
errors.Is(err, syscall.ENOSPC) and the like go on working. fmt.Errorf with %v
instead of %w loses it.`,
	check: keepsTheCause,
}}

var invalidClauses = []Clause{{
	Name: "refuses a nil event",
	Explanation: `Write of nil is an error and not a panic: the bug of one caller does not take a
component down, and does not pass for a recorded decision.`,
	check: refusesANilEvent,
}, {
	Name: "refuses an invalid event and names the field",
	Explanation: `An event without a kind, with a decision that is none, without a time, or under a
name that the API server would refuse, is an error of class invalid that names the
field, at every destination alike, and nothing is stored.`,
	check: refusesAnInvalidEvent,
}}

// attempt is one way to make Write fail.
type attempt struct {
	how   string
	event string // its name; "" for none
	err   error
}

// everyError makes Write fail in every way that the suite knows. It leaves out the ways
// in which Write returned nil: another clause reports those.
func (p *probe) everyError() ([]attempt, error) {
	subject, err := p.open()
	if err != nil {
		return nil, err
	}
	var attempts []attempt
	try := func(ctx context.Context, how string, s auditing.Sink, ae *v1alpha1.AuditEvent) {
		a := attempt{how: how}
		if ae != nil {
			a.event = ae.Name
		}
		if a.err, _ = p.write(ctx, s, ae); a.err != nil {
			attempts = append(attempts, a)
		}
	}
	invalid := p.event()
	invalid.Spec.Kind = ""
	ended, cancel := cancelled.make(p.ctx, 0)
	defer cancel()
	try(p.ctx, "a nil event", subject.Sink, nil)
	try(p.ctx, "an event without a kind", subject.Sink, invalid)
	try(ended, "a cancelled context", subject.Sink, p.event())
	if p.h.Failing != nil {
		fault, err := p.failing()
		if err != nil {
			return nil, err
		}
		try(p.ctx, "a failing destination", fault.Sink, p.event())
	}
	if p.h.Hanging != nil {
		fault, err := p.hanging()
		if err != nil {
			return nil, err
		}
		ctx, cancel := expired.make(p.ctx, endsAfter)
		defer cancel()
		try(ctx, "a destination that does not answer", fault.Sink, p.event())
	}
	if _, ok := subject.Sink.(auditing.Closer); ok {
		p.close(subject.Sink)
		try(p.ctx, "a closed sink", subject.Sink, p.event())
	}
	return attempts, nil
}

func wrapsEveryError(p *probe) error {
	attempts, err := p.everyError()
	for _, a := range attempts {
		if !errors.Is(a.err, auditing.ErrAuditWrite) {
			err = errors.Join(err, fmt.Errorf("%s: the error is not auditing.ErrAuditWrite: %w", a.how, a.err))
		}
	}
	return err
}

func describesEveryError(p *probe) error {
	attempts, err := p.everyError()
	for _, a := range attempts {
		var we *auditing.WriteError
		if !errors.As(a.err, &we) {
			err = errors.Join(err, fmt.Errorf("%s: no *auditing.WriteError in the chain of: %w", a.how, a.err))
			continue
		}
		if we.Sink == "" || we.Err == nil || !strings.Contains(we.Event, a.event) || !knownClass(we.Class) {
			err = errors.Join(err, fmt.Errorf("%s: Sink %q, Event %q (want %q in it), Class %q: something is missing in: %w",
				a.how, we.Sink, we.Event, a.event, we.Class, a.err))
		}
	}
	return err
}

func knownClass(c auditing.Class) bool {
	switch c {
	case auditing.ClassTransient, auditing.ClassPermanent, auditing.ClassInvalid, auditing.ClassFull, auditing.ClassClosed, auditing.ClassTimeout:
		return true
	}
	return false
}

func keepsTheCause(p *probe) error {
	fault, err := p.failing()
	if err != nil {
		return err
	}
	err, broken := p.refused(p.ctx, fault.Sink, p.event())
	if broken != nil {
		return broken
	}
	if !fault.Caused(err) {
		return fmt.Errorf("the harness does not find the destination's error in the chain of: %w", err)
	}
	return nil
}

func refusesANilEvent(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	_, broken := p.refused(p.ctx, subject.Sink, nil)
	return broken
}

// invalidEvents are changes that make a valid event invalid, with the field that the
// error has to name.
var invalidEvents = []struct {
	field, what string
	spoil       func(*v1alpha1.AuditEvent)
}{
	{"kind", "no kind", func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = "" }},
	{"kind", "a kind that is no DNS label", func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = "Tea_Brewed" }},
	{"kind", "a kind of 64 characters", func(ae *v1alpha1.AuditEvent) {
		ae.Spec.Kind = v1alpha1.AuditKind(strings.Repeat("k", 64))
	}},
	{"decision", "no decision", func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = "" }},
	{"decision", "an unknown decision", func(ae *v1alpha1.AuditEvent) { ae.Spec.Decision = "maybe" }},
	{"timestamp", "no timestamp", func(ae *v1alpha1.AuditEvent) { ae.Spec.Timestamp = metav1.Time{} }},
	{"name", "a name in capitals", func(ae *v1alpha1.AuditEvent) { ae.Name = "NOT-A-NAME" }},
	{"name", "a name with a newline", func(ae *v1alpha1.AuditEvent) { ae.Name += "\nx" }},
	{"name", "a name of 254 characters", func(ae *v1alpha1.AuditEvent) { ae.Name = strings.Repeat("n", 254) }},
	{"namespace", "a namespace with a slash", func(ae *v1alpha1.AuditEvent) { ae.Namespace = "a/b" }},
	{"runRef", "a run without a name", func(ae *v1alpha1.AuditEvent) { ae.Spec.RunRef.Name = "" }},
}

func refusesAnInvalidEvent(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	refused := map[string]bool{}
	var errs []error
	for _, invalid := range invalidEvents {
		ae := p.event()
		invalid.spoil(ae)
		refused[ae.Name] = true
		err, broken := p.refused(p.ctx, subject.Sink, ae)
		if broken != nil {
			errs = append(errs, fmt.Errorf("%s: %w", invalid.what, broken))
			continue
		}
		if !strings.Contains(err.Error(), invalid.field) {
			errs = append(errs, fmt.Errorf("%s: the error does not name %s: %w", invalid.what, invalid.field, err))
		}
		if class, _ := driver.ClassOf(err); class != auditing.ClassInvalid {
			errs = append(errs, fmt.Errorf("%s: the error's class is %s, want %s: %w", invalid.what, class, auditing.ClassInvalid, err))
		}
	}
	all, err := subject.Stored(p.ctx)
	if err != nil {
		return errors.Join(append(errs, fmt.Errorf("subject: Stored: %w", err))...)
	}
	for i := range all {
		if refused[all[i].Name] {
			errs = append(errs, fmt.Errorf("event %q is invalid, and is stored", all[i].Name))
		}
	}
	return errors.Join(errs...)
}
