package lokifacts

import (
	"context"
	"fmt"
	"slices"

	"github.com/paddock-dev/audit/internal/lokitest"
)

// Sources of facts.
const (
	// Recorded facts were seen on a real Loki 3.7.8.
	Recorded = "recorded from 3.7.8"
	// Documented facts are in Loki's documentation. This project has not observed them.
	Documented = "Loki's documentation, not recorded"
	// Derived facts follow from recorded facts.
	Derived = "derived from what was recorded from 3.7.8"
)

// Fact is one statement about Loki's behaviour.
type Fact struct {
	// Name is a sentence. It is unique.
	Name string

	// Source is Recorded, Documented or Derived.
	Source string

	// Profile is the configuration with which the fact is true.
	Profile lokitest.Profile

	// Alone is set for a fact about rates. It needs a Loki, or a tenant, to which nothing else writes.
	Alone bool

	// OwnProcess is set for a fact that needs a restart, or an option that holds for all tenants. It cannot be checked
	// with a Loki that serves all profiles as tenants.
	OwnProcess bool

	ask func(c *conn) error
}

// Ask checks the fact with a Loki that has the fact's profile. The error says what differs.
func (f Fact) Ask(ctx context.Context, s Server) error {
	c := newConn(ctx, s)
	defer c.close()
	if err := f.ask(c); err != nil {
		return fmt.Errorf("%s (%s, profile %s): %w", f.Name, f.Source, f.Profile.Name, err)
	}
	return nil
}

// Server is a Loki with which facts are checked.
type Server struct {
	// URL of its root, without a slash at the end.
	URL string

	// Restart kills it with SIGKILL and starts it again with the same data. Only facts with OwnProcess call it.
	Restart func(ctx context.Context) error
}

// All returns the table.
func All() []Fact {
	return slices.Concat(pushFacts(), labelFacts(), metadataFacts(), timeFacts(), partialFacts(), rateFacts(), blockedFacts(),
		repeatFacts(), tenantFacts(), queryFacts(), logqlFacts(), metricFacts(), restartFacts())
}
