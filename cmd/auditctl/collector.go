package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/cmd/auditctl/internal/output"
	"github.com/paddock-dev/audit/internal/collector"
	"github.com/paddock-dev/audit/internal/disk"
)

func checkCollectorCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use: "check-collector FILE", Short: "Print what the 200 of an OpenTelemetry Collector is worth, by its configuration",
		Long: `check-collector reads the configuration of an OpenTelemetry Collector. It prints by pipeline what its 200 is worth,
how an event is still lost after it, and which key to change. - is the standard input.

It exits with 1 when a change would save an event, when a component is not known, or when the configuration is not good.
Variables that the configuration refers to have to be set as the collector has them.`,
		Example: "auditctl check-collector otelcol.yaml\nauditctl check-collector -o json otelcol.yaml",
		Args:    operands(1, 1, "the file of one configuration"),
	}
	format := addChoice(cmd, "output", "o", "text", "form of the output", "text", "json")
	cmd.RunE = func(_ *cobra.Command, paths []string) error {
		report, err := checkCollector(env, paths[0])
		switch {
		case format.value == "json":
			return collectorJSON(env, paths[0], report, err)
		case err != nil:
			return err
		}
		if err := printCollector(env.out, report); err != nil {
			return err
		}
		if !report.Good() {
			return &exitError{code: wrong}
		}
		return nil
	}
	return cmd
}

// checkCollector judges the configuration in a file.
func checkCollector(env *environment, path string) (*collector.Report, error) {
	var text []byte
	var err error
	if path == stdin {
		text, err = io.ReadAll(io.LimitReader(env.in, collector.MaxFile+1))
	} else {
		text, err = disk.ReadFile(path, collector.MaxFile+1)
	}
	if err != nil {
		return nil, err
	}
	return collector.Parse(path, text, env.getenv)
}

// saying is what a 200 of each worth says.
var saying = map[collector.Worth]string{
	collector.NotKnown:     "what a 200 says cannot be told",
	collector.Nothing:      "no exporter keeps the event",
	collector.Accepted:     "a 200 says that the collector has the event, and no more",
	collector.Durable:      "a 200 says that the disk of the collector has the event",
	collector.Acknowledged: "a 200 says that the backend has answered for the event",
}

// printCollector prints a report. Names in it are those of the configuration.
func printCollector(to io.Writer, report *collector.Report) error {
	var all strings.Builder
	line := func(format string, args ...any) {
		all.WriteString(output.Harmless(fmt.Sprintf(format, args...)) + "\n")
	}
	for _, p := range report.Pipelines {
		line("%s: %s: %s", p.Name, p.Worth, saying[p.Worth])
		for _, w := range p.Ways {
			line("  %s: %s", strings.Join(w.Path, " > "), w.Worth)
			for _, l := range w.Losses {
				line("    %s: %s", l.Cause, l.Text)
				if l.Key != "" {
					line("      change %s: %s", l.Key, l.Change)
				}
			}
		}
	}
	_, err := io.WriteString(to, all.String())
	return err
}

// checkedCollector is what is known of a collector's configuration.
type checkedCollector struct {
	File      string               `json:"file"`
	Good      bool                 `json:"good"`
	Pipelines []collector.Pipeline `json:"pipelines,omitempty"`
	Errors    []problem            `json:"errors,omitempty"`
}

// collectorJSON prints a report, or the error that is in its place.
func collectorJSON(env *environment, path string, report *collector.Report, err error) error {
	c := checkedCollector{File: path}
	var bad *collector.Error
	switch {
	case errors.As(err, &bad):
		for _, p := range bad.Problems {
			c.Errors = append(c.Errors, problem{p.Line, p.Key, p.Text})
		}
	case err != nil:
		c.Errors = []problem{{Text: err.Error()}}
	default:
		c.Good, c.Pipelines = report.Good(), report.Pipelines
	}
	if err := printJSON(env, c); err != nil {
		return err
	}
	if !c.Good {
		return &exitError{code: wrong}
	}
	return nil
}
