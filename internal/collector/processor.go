package collector

import (
	"slices"
	"strings"
)

// What processors do with the answer of what is behind them. Those that are not here are not known.
var (
	// passing processors hand each request on, and return only when those behind them have.
	passing = []string{
		"memory_limiter", "attributes", "resource", "resourcedetection", "resource_detection", "k8sattributes", "k8s_attributes", "transform", "redaction",
	}
	// dropping processors do the same, and drop events on purpose.
	dropping = []string{"filter", "probabilistic_sampler"}
)

// batch answers before it hands events on, and forgets those that are refused behind it.
const batch = "batch"

// process adds what a processor of a pipeline does.
func (p *passage) process(pipeline, name string) {
	list := strings.Join([]string{"service", "pipelines", pipeline, processors}, ".")
	switch kind := typeOf(name); {
	case kind == batch:
		p.holder, p.holderIn = name, pipeline
	case slices.Contains(passing, kind):
	case slices.Contains(dropping, kind):
		p.lose(Dropped, "what the processor "+name+" drops is answered with 200 as well", list, "take "+name+" out, unless its conditions meet no event")
	default:
		p.lose(Unknown, "what the processor "+name+" does with an event is not known", list, "take "+name+" out, unless it hands each request on before it answers")
	}
}

// lose adds a loss.
func (p *passage) lose(cause Cause, text, key, change string) {
	p.losses = append(slices.Clip(p.losses), Loss{cause, text, key, change})
}
