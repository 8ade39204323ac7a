package route

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// Route says which events a sink gets: those that each of its lists takes. An empty
// list takes all.
type Route struct {
	// Kinds of the events, as in "egress-block" or "credential-*": a * stands for any
	// characters, and a ? for one.
	Kinds []string
	// Decisions of the events.
	Decisions []v1alpha1.AuditDecision
	// Namespaces of the events, with * and ? as in Kinds. A pattern with a * takes events
	// without a namespace as well, if it takes the empty text.
	Namespaces []string
	// Sink that the events go to. Several routes may have the same one, which is closed
	// once.
	Sink auditing.Sink
	// Place is what a seal in front calls Sink when it declares that an event went elsewhere.
	// Sink as auditing.Chain prints it when empty. The first route of a sink decides.
	Place string
}

// takesAll reports that no event can get past r.
func (r *Route) takesAll() bool {
	every := func(patterns []string) bool { return len(patterns) == 0 || slices.Contains(patterns, "*") }
	return every(r.Kinds) && every(r.Namespaces) && len(r.Decisions) == 0
}

func (r *Route) takes(e *driver.Event) bool {
	return matches(r.Kinds, string(e.Kind())) && matches(r.Namespaces, e.Namespace()) &&
		(len(r.Decisions) == 0 || slices.Contains(r.Decisions, e.Decision()))
}

func matches(patterns []string, text string) bool {
	if len(patterns) == 0 {
		return true
	}
	for _, pattern := range patterns {
		if ok, _ := path.Match(pattern, text); ok { // check found no bad pattern, and texts have no slashes
			return true
		}
	}
	return false
}

// Check returns everything that is wrong with the lists of r.
func (r *Route) Check() error {
	var errs []error
	check := func(list string, i int, good bool, want string) {
		if !good {
			errs = append(errs, fmt.Errorf("%s[%d]: want %s", list, i, want)) // the text may be a secret that slipped into its place
		}
	}
	const pattern = "lower-case letters, digits and dashes, with * for any of them and ? for one"
	for i, kind := range r.Kinds {
		check("kinds", i, isPattern(kind), pattern)
	}
	for i, namespace := range r.Namespaces {
		check("namespaces", i, isPattern(namespace), pattern)
	}
	for i, d := range r.Decisions {
		check("decisions", i, d.Known(), "granted, denied or warned")
	}
	return errors.Join(errs...)
}

// isPattern reports that pattern can take a DNS label.
func isPattern(pattern string) bool {
	return pattern != "" && strings.Trim(pattern, "abcdefghijklmnopqrstuvwxyz0123456789-*?") == "" && len(pattern) <= 63
}

// String prints the lists: "credential-*|egress-block denied in team-*"; "all" without
// any.
func (r *Route) String() string {
	var parts []string
	if len(r.Kinds) > 0 {
		parts = append(parts, strings.Join(r.Kinds, "|"))
	}
	if len(r.Decisions) > 0 {
		decisions := make([]string, len(r.Decisions))
		for i, d := range r.Decisions {
			decisions[i] = string(d)
		}
		parts = append(parts, strings.Join(decisions, "|"))
	}
	if len(r.Namespaces) > 0 {
		parts = append(parts, "in "+strings.Join(r.Namespaces, "|"))
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, " ")
}
