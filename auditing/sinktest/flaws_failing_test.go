package sinktest_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// answering returns a Write that replaces the error of a failed write by another.
func answering(other func(we *auditing.WriteError) error) func(*sink, context.Context, *v1alpha1.AuditEvent) error {
	return func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		var we *auditing.WriteError
		if err := s.deliver(ctx, ae); !errors.As(err, &we) {
			return err
		}
		return other(we)
	}
}

// invalid reports whether Write refused the event because it is invalid.
func invalid(we *auditing.WriteError) bool {
	return we.Class == auditing.ClassInvalid && we.Event != "" && !errors.Is(we, errDisk)
}

var failingFlaws = []flaw{{
	name:   "returns the destination's error as it is",
	breaks: []string{"wraps every error in ErrAuditWrite", "describes every error in a WriteError"},
	write: answering(func(we *auditing.WriteError) error {
		if errors.Is(we, errDisk) {
			return we.Err
		}
		return we
	}),
}, {
	name:   "returns the context's error as it is",
	breaks: []string{"wraps every error in ErrAuditWrite", "describes every error in a WriteError"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return s.deliver(ctx, ae)
	},
}, {
	name:   "returns ErrAuditWrite and no WriteError",
	breaks: []string{"describes every error in a WriteError"},
	write: answering(func(we *auditing.WriteError) error {
		return fmt.Errorf("%w: %w", auditing.ErrAuditWrite, we.Err)
	}),
}, {
	name:   "does not name itself in an error",
	breaks: []string{"describes every error in a WriteError"},
	write:  answering(func(we *auditing.WriteError) error { we.Sink = ""; return we }),
}, {
	name:   "does not name the event in an error",
	breaks: []string{"describes every error in a WriteError"},
	write:  answering(func(we *auditing.WriteError) error { we.Event = ""; return we }),
}, {
	name:   "invents a class",
	breaks: []string{"describes every error in a WriteError"},
	write: answering(func(we *auditing.WriteError) error {
		if errors.Is(we, errDisk) {
			we.Class = "unlucky"
		}
		return we
	}),
}, {
	name:   "loses the cause",
	breaks: []string{"keeps the cause of an error"},
	send: func(s *sink, ctx context.Context, e *driver.Event) error {
		if err := s.shelf.put(ctx, e); err != nil {
			return fmt.Errorf("shelf: %v", err) //nolint:errorlint // this is the flaw
		}
		return nil
	},
}, {
	name: "hides a failed write",
	breaks: []string{
		"keeps the cause of an error", "names an unnamed event before the first attempt", "leaves the caller's spec as it is",
	},
	write: answering(func(we *auditing.WriteError) error {
		if errors.Is(we, errDisk) {
			return nil
		}
		return we
	}),
}, {
	name:   "panics on a nil event",
	breaks: []string{"refuses a nil event"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		_ = ae.Spec.Kind
		return s.deliver(ctx, ae)
	},
}, {
	name:   "takes a nil event for written",
	breaks: []string{"refuses a nil event"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		if ae == nil {
			return nil
		}
		return s.deliver(ctx, ae)
	},
}, {
	name:   "puts a decision where there is none",
	breaks: []string{"refuses an invalid event and names the field"},
	write: delivering(func(ae *v1alpha1.AuditEvent) {
		if !ae.Spec.Decision.Known() {
			ae.Spec.Decision = v1alpha1.AuditDecisionWarned
		}
	}),
}, {
	name:   "does not say what is invalid",
	breaks: []string{"refuses an invalid event and names the field"},
	write: answering(func(we *auditing.WriteError) error {
		if invalid(we) {
			we.Err = errors.New("bad event")
		}
		return we
	}),
}, {
	name:   "calls an invalid event transient",
	breaks: []string{"refuses an invalid event and names the field"},
	write: answering(func(we *auditing.WriteError) error {
		if invalid(we) {
			we.Class = auditing.ClassTransient
		}
		return we
	}),
}, {
	name:   "stores an invalid event all the same",
	breaks: []string{"refuses an invalid event and names the field"},
	write: func(s *sink, ctx context.Context, ae *v1alpha1.AuditEvent) error {
		err := s.deliver(ctx, ae)
		if class, _ := driver.ClassOf(err); err != nil && class == auditing.ClassInvalid && ae != nil {
			s.shelf.append(ae.DeepCopy())
		}
		return err
	},
}}
