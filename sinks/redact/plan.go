package redact

import (
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/texts"
)

const (
	masked = "[masked]"

	// maxPattern is how many bytes of a text a pattern is looked for in. The rest does
	// not reach any destination: the schema keeps far less of the start of a text, and
	// all annotations together have no more.
	maxPattern = 256 << 10
)

// plan has the rules for the events of one kind, by field.
type plan struct {
	rules  [eventjson.NumFields][]*rule
	fields driver.Fields // that have rules
}

func newPlan(rules []*rule, kind v1alpha1.AuditKind) *plan {
	p := &plan{}
	for _, r := range rules {
		if !r.isFor(string(kind)) {
			continue
		}
		for f := range eventjson.NumFields {
			if r.fields.any(f) {
				p.rules[f] = append(p.rules[f], r)
			}
		}
	}
	for f, rules := range &p.rules {
		if len(rules) > 0 && !rules[0].keepsAll(eventjson.Field(f)) {
			p.fields = p.fields.With(eventjson.Field(f))
		}
	}
	return p
}

// keepsAll reports that the rule leaves every text of a field as it is.
func (r *rule) keepsAll(f eventjson.Field) bool {
	return r.action == Keep && r.pattern == nil && r.fields.whole[f]
}

func (r *rule) isFor(kind string) bool {
	if len(r.kinds) == 0 {
		return true
	}
	for _, glob := range r.kinds {
		if ok, _ := path.Match(glob, kind); ok { // compile found no bad one, and kinds have no slashes
			return true
		}
	}
	return false
}

// plans makes the plan of each kind once.
type plans struct {
	rules []*rule
	known sync.Map // of *plan by kind
	n     atomic.Int64
}

// maxPlans bounds the kinds whose plans are kept, for nothing else bounds the kinds.
const maxPlans = 1000

func (p *plans) of(kind v1alpha1.AuditKind) *plan {
	if known, ok := p.known.Load(kind); ok {
		return known.(*plan) //nolint:forcetypeassert // it holds nothing else
	}
	made := newPlan(p.rules, kind)
	if p.n.Load() < maxPlans {
		if _, was := p.known.LoadOrStore(kind, made); !was {
			p.n.Add(1)
		}
	}
	return made
}

// redact returns the event as the plan leaves it. hashers are of all keys.
func (p *plan) redact(e *driver.Event, hashers []*hasher) *driver.Event {
	if p.fields == 0 {
		return e
	}
	h := hasherAt(hashers, e.Time())
	return e.Redacted(p.fields, func(f driver.Field, key, text string) string {
		for _, r := range p.rules[f] {
			if !r.fields.has(f, key) {
				continue
			}
			var end bool
			if text, end = r.apply(text, h); end || text == "" {
				break
			}
		}
		return text
	})
}

// apply returns what the rule leaves of a text, and whether no further rule applies.
func (r *rule) apply(text string, h *hasher) (left string, end bool) {
	whole := r.pattern == nil
	if !whole {
		text = text[:min(len(text), maxPattern)]
		cut := texts.Cut(text) // so that a match may go on behind its end
		if !cut && !r.matches(text) || cut && r.action == Keep {
			return text, false
		}
		whole = cut
	}
	switch {
	case r.action == Keep:
		return text, true
	case r.action == Drop:
		return "", true
	case r.action == Mask && whole:
		return masked, false
	case r.action == Mask:
		return r.pattern.ReplaceAllLiteralString(text, masked), false
	case whole:
		return h.hash(text), false
	}
	return r.pattern.ReplaceAllStringFunc(text, h.hash), false
}

// matches reports whether the pattern matches something in a text. Most texts do not
// hold what every match begins with, and looking for that is quick.
func (r *rule) matches(text string) bool {
	return strings.Contains(text, r.begin) && r.pattern.MatchString(text)
}
