package multi

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

type policyKind int

const (
	policyAll policyKind = iota
	policyAny
	policyAtLeast
	policyNamed
)

// Policy says which children have to succeed for a Write to succeed. Its zero
// value is All.
type Policy struct {
	kind  policyKind
	count int
	names []string
}

// All requires every child to succeed.
func All() Policy { return Policy{} }

// Any requires one child to succeed, whichever it is.
func Any() Policy { return Policy{kind: policyAny} }

// AtLeast requires n children to succeed, whichever they are: at least 1, and at
// most as many as there are.
func AtLeast(n int) Policy { return Policy{kind: policyAtLeast, count: n} }

// Named requires the children of these names to succeed, at least one. The
// others are written to as well, on best effort.
func Named(names ...string) Policy {
	return Policy{kind: policyNamed, names: slices.Clone(names)}
}

// String returns the policy as a chain prints it: "all", "any", "atleast(2)",
// "required(kube)".
func (p Policy) String() string {
	switch p.kind {
	case policyAll:
		return "all"
	case policyAny:
		return "any"
	case policyAtLeast:
		return fmt.Sprintf("atleast(%d)", p.count)
	case policyNamed:
		return "required(" + strings.Join(p.names, ", ") + ")"
	}
	return fmt.Sprintf("policy(%d)", int(p.kind))
}

// requirement is a resolved policy: how many of which children have to succeed.
type requirement struct {
	counts []bool // by child: whether it counts
	of     int    // how many count
	need   int    // how many of them have to succeed
}

// met reports that event j meets the requirement, by the outcomes of the children
// that are done.
func (r *requirement) met(outcomes []outcome, j int) bool {
	succeeded := 0
	for i, o := range outcomes {
		if o.done && r.counts[i] && o.of(j) == nil {
			succeeded++
		}
	}
	return succeeded >= r.need
}

func (p Policy) over(children []*child) (requirement, error) {
	n := len(children)
	r := requirement{counts: slices.Repeat([]bool{true}, n), of: n, need: n}
	switch p.kind {
	case policyAll:
	case policyAny:
		r.need = 1
	case policyAtLeast:
		if p.count < 1 || p.count > n {
			return r, fmt.Errorf("multi: at least %d of %d children are required: require 1 to %d", p.count, n, n)
		}
		r.need = p.count
	case policyNamed:
		return p.overNames(children)
	}
	return r, nil
}

func (p Policy) overNames(children []*child) (requirement, error) {
	r := requirement{counts: make([]bool, len(children))}
	if len(p.names) == 0 {
		return r, errors.New("multi: no child is required: name one, or use Any or All")
	}
	for _, name := range p.names {
		i := slices.IndexFunc(children, func(c *child) bool { return c.name == name })
		switch {
		case i < 0:
			return r, fmt.Errorf("multi: the required child %q does not exist: there are %s", name, namesOf(children))
		case r.counts[i]:
			return r, fmt.Errorf("multi: the child %q is required twice: name it once", name)
		}
		r.counts[i] = true
		r.need++
	}
	r.of = r.need
	return r, nil
}

func namesOf(children []*child) string {
	names := make([]string, len(children))
	for i, c := range children {
		names[i] = fmt.Sprintf("%q", c.name)
	}
	return strings.Join(names, ", ")
}
