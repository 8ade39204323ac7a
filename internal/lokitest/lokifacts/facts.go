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
	// Documented facts stand in Loki's documentation; nobody here has seen them.
	Documented = "Loki's documentation, not recorded"
	// Derived facts follow from recorded ones.
	Derived = "derived from what was recorded from 3.7.8"
)

// Fact is one thing that is known about Loki.
type Fact struct {
	// Name is a sentence. It is unique.
	Name string

	// Source is Recorded, Documented or Derived.
	Source string

	// Profile is the configuration that the fact is about.
	Profile lokitest.Profile

	// Alone asks for a Loki, or a tenant, that nothing else writes to: the fact is about rates.
	Alone bool

	// OwnProcess says that a Loki which serves all profiles as tenants cannot answer: the fact needs a restart, or an
	// option that is one for all tenants.
	OwnProcess bool

	ask func(c *conn) error
}

// Ask asks a Loki with the fact's profile. The error says what differs.
func (f Fact) Ask(ctx context.Context, s Server) error {
	c := newConn(ctx, s)
	defer c.close()
	if err := f.ask(c); err != nil {
		return fmt.Errorf("%s (%s, profile %s): %w", f.Name, f.Source, f.Profile.Name, err)
	}
	return nil
}

// Server is a Loki that can be asked.
type Server struct {
	// URL is its root, without a slash at its end.
	URL string

	// Restart kills it with SIGKILL and starts it again on the same data; only facts with OwnProcess use it.
	Restart func(ctx context.Context) error
}

// All returns the table.
func All() []Fact {
	return slices.Concat(pushFacts(), labelFacts(), metadataFacts(), timeFacts(), partialFacts(), rateFacts(), blockedFacts(),
		repeatFacts(), tenantFacts(), queryFacts(), logqlFacts(), metricFacts(), restartFacts())
}
