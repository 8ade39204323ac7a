package sinktest

import (
	"fmt"
	"strings"

	"github.com/paddock-dev/audit/auditing"
)

var statedClauses = []Clause{{
	Name: "states its level",
	Explanation: `auditing.LevelOf says what nil from Write means: accepted, durable or acknowledged.
A sink states it with a method Level() auditing.Level; a fail-closed component is
refused a sink that promises nothing.`,
	check: statesItsLevel,
}, {
	Name: "prints its chain",
	Explanation: `A method String() string says in one line what the sink is and what stands behind
it, like multi(all)[kube, retry(loki)]: components log it when they start.`,
	check: printsItsChain,
}}

func statesItsLevel(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	switch level := auditing.LevelOf(subject.Sink); level {
	case auditing.LevelAccepted, auditing.LevelDurable, auditing.LevelAcknowledged:
		return nil
	default:
		return fmt.Errorf("auditing.LevelOf is %s", level)
	}
}

func printsItsChain(p *probe) error {
	subject, err := p.open()
	if err != nil {
		return err
	}
	if _, ok := subject.Sink.(fmt.Stringer); !ok {
		return fmt.Errorf("%T has no String method", subject.Sink)
	}
	chain := auditing.Chain(subject.Sink)
	if strings.TrimSpace(chain) == "" || strings.ContainsAny(chain, "\n\r") {
		return fmt.Errorf("the chain is %q, want one line of text", chain)
	}
	return nil
}
