package retention

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/config"
)

const (
	// defaultKeep is how long an event is kept where nothing is said.
	defaultKeep = 30 * day
	// MinKeep is the shortest retention that a policy can state. It is also how
	// long every event stays after it was stored: the events of a component whose clock
	// is wrong are not deleted before anybody can read them.
	MinKeep = day
	// MaxKeep is the longest.
	MaxKeep = 36500 * day

	day = 24 * time.Hour

	defaultInterval         = time.Hour
	minInterval             = time.Second
	maxInterval             = day
	defaultDeletesPerSecond = 100
	maxDeletesPerSecond     = 10000
)

// Policy says how long events are kept, and how fast expired ones go. The zero
// Policy is valid.
type Policy struct {
	// Default is how long an event is kept that no rule fits; 30 days when 0.
	Default time.Duration
	// Rules for namespaces and kinds, in any order: the most specific that fits an
	// event decides. A rule with namespace and kind is more specific than a rule with
	// the namespace alone, which is more specific than a rule with the kind alone.
	Rules []Rule
	// Interval between the end of one pass and the beginning of the next, changed
	// at random by up to a tenth; an hour when 0, from a second to 24 hours.
	Interval time.Duration
	// DeletesPerSecond that one Reaper asks of the API server; 100 when 0, at most 10,000.
	DeletesPerSecond int
}

// Rule says how long the events of a namespace, of a kind, or of a kind in a
// namespace are kept.
type Rule struct {
	// Namespace of the events; every one when "".
	Namespace string
	// Kind of the events; every one when "".
	Kind v1alpha1.AuditKind
	// Keep is how long, from MinKeep to MaxKeep.
	Keep time.Duration
}

// defaults returns p with its zero fields set.
func (p Policy) defaults() Policy {
	p.Default = cmp.Or(p.Default, defaultKeep)
	p.Interval = cmp.Or(p.Interval, defaultInterval)
	p.DeletesPerSecond = cmp.Or(p.DeletesPerSecond, defaultDeletesPerSecond)
	return p
}

// validate returns everything that is wrong with p once its defaults are set.
// Each error names its key as the file does.
func (p Policy) validate() error {
	errs := []error{config.At("default", keepError(p.Default))}
	if p.Interval < minInterval || p.Interval > maxInterval {
		errs = append(errs, config.At("interval", errors.New("is out of range: want 1s to 24h")))
	}
	if p.DeletesPerSecond < 1 || p.DeletesPerSecond > maxDeletesPerSecond {
		errs = append(errs, config.At("deletesPerSecond", fmt.Errorf("is out of range: want 1 to %d", maxDeletesPerSecond)))
	}
	first := map[target]int{}
	for i, r := range p.Rules {
		at := fmt.Sprintf("rules[%d]", i)
		errs = append(errs, config.At(at+".keep", keepError(r.Keep)))
		if r.Namespace != "" && len(validation.IsDNS1123Label(r.Namespace)) > 0 {
			errs = append(errs, config.At(at+".namespace", errors.New("is no namespace: want lower-case letters, digits and dashes, at most 63")))
		}
		if r.Kind != "" && len(validation.IsDNS1123Label(string(r.Kind))) > 0 {
			errs = append(errs, config.At(at+".kind", errors.New("is no kind: want lower-case letters, digits and dashes, at most 63")))
		}
		t := target{namespace: r.Namespace, kind: r.Kind}
		if t == (target{}) {
			errs = append(errs, config.At(at, errors.New("names no namespace and no kind: name one, or use default")))
		} else if before, seen := first[t]; seen {
			errs = append(errs, config.At(at, fmt.Errorf("is for the same events as rules[%d]: keep one of the two", before)))
		} else {
			first[t] = i
		}
	}
	return errors.Join(errs...)
}

func keepError(keep time.Duration) error {
	switch {
	case keep < MinKeep:
		return errors.New("is too short: want at least 1d, which no configuration goes under")
	case keep > MaxKeep:
		return errors.New("is too long: want at most 36500d")
	}
	return nil
}

// target is what a rule is for.
type target struct {
	namespace string
	kind      v1alpha1.AuditKind
}

// schedule finds how long a policy keeps an event.
type schedule struct {
	fallback time.Duration
	rules    map[target]time.Duration
	// checkpoints is how long the events are kept in which sealed trails speak of themselves.
	checkpoints time.Duration
}

func newSchedule(p Policy) schedule {
	s := schedule{fallback: p.Default, rules: make(map[target]time.Duration, len(p.Rules))}
	longest := p.Default
	for _, r := range p.Rules {
		s.rules[target{namespace: r.Namespace, kind: r.Kind}] = r.Keep
		longest = max(longest, r.Keep)
	}
	s.checkpoints = longest + longestTrail
	return s
}

func (s schedule) keep(namespace string, kind v1alpha1.AuditKind) time.Duration {
	for _, t := range []target{{namespace, kind}, {namespace, ""}, {"", kind}} {
		if keep, ok := s.rules[t]; ok {
			return keep
		}
	}
	return s.fallback
}
