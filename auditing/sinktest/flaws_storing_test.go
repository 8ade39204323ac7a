package sinktest_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// storing returns a transport that stores a copy of the event, changed by mangle.
func storing(mangle func(ae *v1alpha1.AuditEvent)) func(*sink, context.Context, *driver.Event) error {
	return func(s *sink, ctx context.Context, e *driver.Event) error {
		ae := e.Object()
		mangle(ae)
		return s.shelf.putAs(ctx, e, ae)
	}
}

// delivering returns a Write that delivers a copy of the event, changed by mangle, and
// fills in the metadata of the caller's event.
func delivering(mangle func(ae *v1alpha1.AuditEvent)) func(*sink, context.Context, *v1alpha1.AuditEvent) error {
	return func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		if ae == nil {
			return s.deliver(ctx, ae)
		}
		mangled := ae.DeepCopy()
		mangle(mangled)
		err := s.deliver(ctx, mangled)
		ae.ObjectMeta = mangled.ObjectMeta
		return err
	}
}

// refusing returns a Write that refuses an event when bad returns true for it.
func refusing(bad func(s *v1alpha1.AuditEventSpec) bool) func(*sink, context.Context, *v1alpha1.AuditEvent) error {
	return func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		return s.deliverWith(ctx, ae, func(ctx context.Context, e *driver.Event) error {
			if bad(&ae.Spec) {
				return driver.Permanent(errors.New("refused by the destination"))
			}
			return s.transport(ctx, e)
		})
	}
}

var storingFlaws = []flaw{{
	name:   "forgets how many decisions an event stands for",
	breaks: []string{"stores what it was given"},
	send:   storing(func(ae *v1alpha1.AuditEvent) { ae.Spec.Count = 0 }),
}, {
	name:   "stores the second only",
	breaks: []string{"stores the exact time", "stores a retry from another process once"},
	send: storing(func(ae *v1alpha1.AuditEvent) {
		ae.Spec.Timestamp = *ae.Spec.Timestamp.DeepCopy()
		ae.Spec.Timestamp.Time = ae.Spec.Timestamp.Truncate(1e9)
		ae.Annotations = nil
	}),
}, {
	name:   "knows the known kinds only",
	breaks: []string{"stores a kind of the caller's own"},
	write:  refusing(func(s *v1alpha1.AuditEventSpec) bool { return !s.Kind.Known() }),
}, {
	name:   "cuts a long kind",
	breaks: []string{"stores a kind of the caller's own"},
	send:   storing(func(ae *v1alpha1.AuditEvent) { ae.Spec.Kind = ae.Spec.Kind[:min(len(ae.Spec.Kind), 40)] }),
}, {
	name:   "stores no label of the decision",
	breaks: []string{"labels what it stores"},
	send:   storing(func(ae *v1alpha1.AuditEvent) { delete(ae.Labels, v1alpha1.LabelDecision) }),
}, {
	name:   "keeps the labels of the caller",
	breaks: []string{"labels what it stores"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		if ae == nil {
			return s.deliver(ctx, ae)
		}
		given := maps.Clone(ae.Labels)
		return s.deliverWith(ctx, ae, func(ctx context.Context, e *driver.Event) error {
			if err := s.gate.enter(); err != nil {
				return err
			}
			defer s.gate.leave()
			ae := e.Object()
			maps.Copy(ae.Labels, given)
			return s.shelf.putAs(ctx, e, ae)
		})
	},
}, {
	name:   "labels a run by the start of its name",
	breaks: []string{"stores any run name in full and labels it safely"},
	send: storing(func(ae *v1alpha1.AuditEvent) {
		if ref := ae.Spec.RunRef; ref != nil {
			ae.Labels[v1alpha1.LabelRun] = ref.Name[:min(len(ref.Name), 63)]
		}
	}),
}, {
	name:   "stores the label of a run instead of its name",
	breaks: []string{"stores any run name in full and labels it safely"},
	send: storing(func(ae *v1alpha1.AuditEvent) {
		if ref := ae.Spec.RunRef; ref != nil {
			ref.Name = auditing.RunLabel(ref.Name)
		}
	}),
}, {
	name:   "names a copy of the event",
	breaks: []string{"names an unnamed event before the first attempt"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		return s.deliver(ctx, ae.DeepCopy())
	},
}, {
	name:   "names an event when it is stored",
	breaks: []string{"names an unnamed event before the first attempt"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		attempt := ae.DeepCopy()
		err := s.deliver(ctx, attempt)
		if err == nil {
			ae.ObjectMeta = attempt.ObjectMeta
		}
		return err
	},
}, {
	name:   "cuts a reason without a mark",
	breaks: []string{"shortens text that is too long visibly"},
	write: delivering(func(ae *v1alpha1.AuditEvent) {
		ae.Spec.Reason = ae.Spec.Reason[:min(len(ae.Spec.Reason), v1alpha1.MaxReasonLength)]
	}),
}, {
	name:   "replaces a long reason by a remark",
	breaks: []string{"shortens text that is too long visibly"},
	write: delivering(func(ae *v1alpha1.AuditEvent) {
		if len(ae.Spec.Reason) > v1alpha1.MaxReasonLength {
			ae.Spec.Reason = "(too long)"
		}
	}),
}, {
	name:   "refuses a long reason",
	breaks: []string{"shortens text that is too long visibly", "leaves the caller's spec as it is"},
	write:  refusing(func(s *v1alpha1.AuditEventSpec) bool { return len(s.Reason) > v1alpha1.MaxReasonLength }),
}, {
	name:   "takes the first details and says nothing of the others",
	breaks: []string{"says how much detail it left out"},
	write: delivering(func(ae *v1alpha1.AuditEvent) {
		for i, key := range slices.Sorted(maps.Keys(ae.Spec.Detail)) {
			if i >= v1alpha1.MaxDetailEntries {
				delete(ae.Spec.Detail, key)
			}
		}
	}),
}, {
	name:   "strips control characters",
	breaks: []string{"stores hostile text"},
	send: storing(func(ae *v1alpha1.AuditEvent) {
		ae.Spec.Reason = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) {
				return -1
			}
			return r
		}, ae.Spec.Reason)
	}),
}, {
	name:   "refuses what is not UTF-8",
	breaks: []string{"stores hostile text", "leaves the caller's spec as it is"},
	write:  refusing(func(s *v1alpha1.AuditEventSpec) bool { return !utf8.ValidString(s.Reason) }),
}}

// stateless, unprinted and twoLines hide, or spoil, the level or the chain of a sink.
type stateless struct{ *sink }

func (stateless) Level() auditing.Level { return auditing.LevelNone }

type unprinted struct {
	auditing.Sink
	auditing.Closer
}

func (unprinted) Level() auditing.Level { return auditing.LevelAcknowledged }

type twoLines struct{ *sink }

func (twoLines) String() string { return "shelf\nin memory" }

var statingFlaws = []flaw{{
	name:   "states no level",
	breaks: []string{"states its level"},
	wrap:   func(s *sink) auditing.Sink { return stateless{s} },
}, {
	name:   "prints nothing",
	breaks: []string{"prints its chain"},
	wrap:   func(s *sink) auditing.Sink { return unprinted{s, s} },
}, {
	name:   "prints two lines",
	breaks: []string{"prints its chain"},
	wrap:   func(s *sink) auditing.Sink { return twoLines{s} },
}}
