package collector

import (
	"maps"
	"slices"
	"strings"
)

// The sections of a configuration that define components.
const (
	receivers  = "receivers"
	processors = "processors"
	exporters  = "exporters"
	connectors = "connectors"
	extensions = "extensions"
)

var (
	kinds   = []string{receivers, processors, exporters, connectors, extensions}
	signals = []string{"traces", "metrics", "logs", "profiles"}
)

// graph is a configuration whose references have been checked.
type graph struct {
	*reader
	defined   map[string]map[string]any // components by their kind and name
	enabled   []string                  // extensions
	pipelines map[string]pipeline
}

// pipeline holds the names of its components.
type pipeline map[string][]string

// Parse judges a configuration; file stands for its file in messages. getenv returns the value of a variable that the
// configuration refers to, "" when it is not set. The error is an *Error with everything that is wrong.
func Parse(file string, data []byte, getenv func(string) string) (*Report, error) {
	g := &graph{reader: &reader{file: file, getenv: getenv}, defined: map[string]map[string]any{}, pipelines: map[string]pipeline{}}
	if top := g.parse(data); top != nil {
		g.read(top)
	}
	report := &Report{}
	for _, name := range slices.Sorted(maps.Keys(g.pipelines)) {
		receiver := g.otlpReceiver(name)
		if receiver == "" {
			continue
		}
		ways := g.ways(name, passage{path: []string{receiver}})
		report.Pipelines = append(report.Pipelines, Pipeline{name, lowest(ways), ways})
	}
	if len(report.Pipelines) == 0 && len(g.problems) == 0 {
		g.problem([]string{"service", "pipelines"}, "no pipeline of logs has a receiver otlp: nothing answers a request with logs")
	}
	if err := g.err(); err != nil {
		return nil, err
	}
	return report, nil
}

// read checks all of a configuration that a verdict rests on.
func (g *graph) read(top map[string]any) {
	g.section(top, nil, append(slices.Clone(kinds), "service")...)
	for _, kind := range kinds {
		g.defined[kind] = map[string]any{}
		for name, value := range g.section(top[kind], []string{kind}) {
			g.defined[kind][component(name)] = value
		}
	}
	service := g.section(top["service"], []string{"service"}, extensions, "telemetry", "pipelines")
	g.enabled = g.names(service[extensions], []string{"service", extensions})
	g.find([]string{"service", extensions}, g.enabled, extensions)
	all := g.section(service["pipelines"], []string{"service", "pipelines"})
	if len(all) == 0 && len(g.problems) == 0 {
		g.problem([]string{"service", "pipelines"}, "is missing: without a pipeline the collector does nothing")
	}
	for name, value := range all {
		g.pipeline(component(name), value)
	}
}

// pipeline reads one pipeline.
func (g *graph) pipeline(name string, value any) {
	path := []string{"service", "pipelines", name}
	if !slices.Contains(signals, typeOf(name)) {
		g.problem(path, "is of no known signal: there are %s", strings.Join(signals, ", "))
		return
	}
	known := []string{receivers, processors, exporters}
	keys := g.section(value, path, known...)
	p := pipeline{}
	for _, kind := range known {
		p[kind] = g.names(keys[kind], at(path, kind))
		if len(p[kind]) == 0 && kind != processors {
			g.problem(path, "has no %s: name one at least", kind)
		}
	}
	g.find(at(path, receivers), p[receivers], receivers, connectors)
	g.find(at(path, processors), p[processors], processors)
	g.find(at(path, exporters), p[exporters], exporters, connectors)
	g.pipelines[name] = p
}

// find reports the names that no component of these kinds has.
func (g *graph) find(path, names []string, kinds ...string) {
	for _, name := range names {
		if slices.ContainsFunc(kinds, func(kind string) bool { return g.has(kind, name) }) {
			continue
		}
		g.problem(path, "names %s, which is not in %s", shown(name), strings.Join(kinds, " or "))
	}
}

func (g *graph) has(kind, name string) bool {
	_, ok := g.defined[kind][name]
	return ok
}

// shown returns the name of a component as messages print it. Another text in its place may be a secret.
func shown(name string) string {
	if len(name) > 100 || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`"'@:=`, r) }) {
		return "something that is no name"
	}
	return name
}

// otlpReceiver returns the receiver of OTLP that feeds a pipeline of logs, or "".
func (g *graph) otlpReceiver(name string) string {
	if typeOf(name) != "logs" {
		return ""
	}
	for _, r := range g.pipelines[name][receivers] {
		if typeOf(r) == "otlp" && g.has(receivers, r) {
			return r
		}
	}
	return ""
}

// passage is what an event has passed on its way to an exporter.
type passage struct {
	path      []string
	pipelines []string
	// holder is a processor that holds events in memory, and answers for those behind it; holderIn is its pipeline.
	holder, holderIn string
	losses           []Loss
}

// ways returns the ways of an event through a pipeline, one for each exporter in it and behind its connectors.
func (g *graph) ways(name string, p passage) (all []Way) {
	path := []string{"service", "pipelines", name}
	if slices.Contains(p.pipelines, name) {
		g.problem(path, "hands events on to itself, by connectors")
		return nil
	}
	p.pipelines = at(p.pipelines, name)
	for _, processor := range g.pipelines[name][processors] {
		p.path = at(p.path, processor)
		p.process(name, processor)
	}
	for _, exporter := range g.pipelines[name][exporters] {
		if !g.has(connectors, exporter) {
			all = append(all, g.export(exporter, p))
			continue
		}
		next := p
		next.path = at(p.path, exporter)
		all = append(all, g.connect(exporter, next)...)
	}
	return all
}

// connect returns the ways behind a connector.
func (g *graph) connect(name string, p passage) (all []Way) {
	if typeOf(name) != "forward" {
		return []Way{{p.path, NotKnown, append(slices.Clip(p.losses), Loss{
			Unknown, "what the connector " + name + " does with an event is not known",
			connectors + "." + name, "export from this pipeline itself, or use the connector forward",
		})}}
	}
	for _, fed := range slices.Sorted(maps.Keys(g.pipelines)) {
		if typeOf(fed) == "logs" && slices.Contains(g.pipelines[fed][receivers], name) {
			all = append(all, g.ways(fed, p)...)
		}
	}
	if len(all) == 0 && len(g.problems) == 0 {
		g.problem([]string{connectors, name}, "is the receiver of no pipeline of logs: events that come here go nowhere")
	}
	return all
}
