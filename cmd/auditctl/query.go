package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/reading"
)

// asked are the flags that say which events are read.
type asked struct {
	since, until string
	namespaces   []string
	components   []string
	kinds        []string
	decisions    []string
	runs         []string
	grep, where  string
}

func addQuery(cmd *cobra.Command) *asked {
	a := &asked{}
	f := cmd.Flags()
	f.StringVar(&a.since, "since", "", "only events from this `time` on: a duration back from now, as in 1h30m or 7d, or 2026-04-25 or 2026-04-25T12:00:00Z")
	f.StringVar(&a.until, "until", "", "only events before this `time`, written as for --since")
	f.StringSliceVarP(&a.namespaces, "namespace", "n", nil, "only events of these `namespaces`")
	f.StringSliceVar(&a.components, "component", nil, "only events that these `components` wrote")
	f.StringSliceVar(&a.kinds, "kind", nil, "only events of these `kinds`")
	f.StringSliceVar(&a.decisions, "decision", nil, "only events with these `decisions`: granted, denied, warned")
	f.StringSliceVar(&a.runs, "run", nil, "only events of these `runs`")
	f.StringVar(&a.grep, "grep", "", "only events whose JSON contains this `text`")
	f.StringVar(&a.where, "where", "", "only events for which this CEL `expression` is true, as in 'event.spec.destination.port == 22'")
	complete(cmd, "decision", decisions())
	var known []string
	for _, k := range v1alpha1.KnownKinds() {
		known = append(known, string(k))
	}
	complete(cmd, "kind", known)
	return a
}

// query returns the query that was asked for. Its error is wrong use.
func (a *asked) query(now time.Time, zone *time.Location) (*reading.Query, error) {
	q := &reading.Query{Namespaces: a.namespaces, Components: a.components, Runs: a.runs, Grep: a.grep}
	for _, k := range a.kinds {
		q.Kinds = append(q.Kinds, v1alpha1.AuditKind(k))
	}
	for _, d := range a.decisions {
		if err := oneOf(d, decisions()); err != nil {
			return nil, fmt.Errorf("--decision: %w", err)
		}
		q.Decisions = append(q.Decisions, v1alpha1.AuditDecision(d))
	}
	var err error
	if q.Since, err = parseTime(a.since, now, zone); err != nil {
		return nil, fmt.Errorf("--since: %w", err)
	}
	if q.Until, err = parseTime(a.until, now, zone); err != nil {
		return nil, fmt.Errorf("--until: %w", err)
	}
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Since.Before(q.Until) {
		return nil, fmt.Errorf("--since %s is not before --until %s", a.since, a.until)
	}
	if a.where != "" {
		if q.Where, err = reading.NewWhere(a.where); err != nil {
			return nil, fmt.Errorf("--where: %w", err)
		}
	}
	return q, nil
}

// parseTime returns the time that a text names: a duration before now, a day in zone, or a
// time of RFC 3339. The zero time for "".
func parseTime(text string, now time.Time, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		return t, nil
	}
	d, err := parseDuration(text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q is no time: want a duration above 0, as in 1h30m or 7d, a day, as in 2026-04-25, or a time, as in 2026-04-25T12:00:00Z", text)
	}
	return now.Add(-d), nil
}

// parseDuration is time.ParseDuration for durations above 0, and takes days as well.
func parseDuration(text string) (time.Duration, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(days, 10, 16); err == nil && n > 0 {
			return time.Duration(n) * 24 * time.Hour, nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return d, nil
	}
	return 0, fmt.Errorf("%q is no duration above 0, as in 90s, 1h30m or 7d", text)
}
