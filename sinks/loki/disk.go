package loki

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/semaphore"
)

// disk finds out whether events that VictoriaLogs has confirmed have reached its disk. The
// server writes its memory to disk at intervals, and does not say when it has done so. So
// disk waits for some intervals, and then asks how long the server has been running.
type disk struct {
	client *client

	// takes returns how long a confirmed event may take to reach the disk of a server
	// with this flush interval. Tests shorten it.
	takes func(flush time.Duration) time.Duration

	asking *semaphore.Weighted // held by the Store that asks the server for all others
	last   state               // guarded by asking
}

// toDisk returns how long VictoriaLogs may take. It collects rows for up to 1 s. They are
// due one interval later. It looks for due rows once in each interval, and skips rows that
// are being merged, so they may have to wait for one more look. One second more is for the
// writing.
func toDisk(flush time.Duration) time.Duration { return 3*flush + 2*time.Second }

// await returns nil once the events that were sent at begun or later, and confirmed by
// answered, are on the server's disk.
func (d *disk) await(ctx context.Context, begun, answered time.Time) error {
	var now state
	for at := answered; now.asked.Before(at); at = answered.Add(d.takes(now.flags[flagFlush])) {
		var err error
		if now, err = d.state(ctx, at); err != nil {
			return fmt.Errorf("the server answered 204 %s ago, and may not have the event on its disk yet; writing it again is harmless: %w",
				time.Since(answered).Round(time.Millisecond), err)
		}
	}
	if ran := now.told.Sub(begun); now.uptime < ran {
		return fmt.Errorf("the server answered 204, and %s after it was sent the event it has been running for only %s: "+
			"it may have lost the event with its memory, and writing the event again is harmless", ran.Round(time.Millisecond), now.uptime)
	}
	return nil
}

// state returns the state of the server at that time or later. Another write may have asked
// for it. While the server does not answer, it is asked again.
func (d *disk) state(ctx context.Context, at time.Time) (state, error) {
	if err := pause(ctx, time.Until(at)); err != nil {
		return state{}, marked(ctx, err)
	}
	if d.asking.Acquire(ctx, 1) != nil {
		return state{}, marked(ctx, context.Cause(ctx))
	}
	defer d.asking.Release(1)
	asking, cancel := context.WithTimeoutCause(ctx, d.client.timeout, errSlow)
	defer cancel()
	for d.last.asked.Before(at) {
		s, err := d.client.state(asking)
		if err == nil {
			d.last = s
		} else if pause(asking, askAgain) != nil {
			return state{}, marked(ctx, err)
		}
	}
	return d.last, nil
}

// askAgain is the pause before the server is asked again.
const askAgain = 250 * time.Millisecond

// pause waits for d. When ctx ends first, it returns the cause.
func pause(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return nil
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// state is the state of a VictoriaLogs, from its metrics.
type state struct {
	asked, told time.Time // before the request was sent, and after the answer was read

	uptime   time.Duration // rounded down to seconds
	readOnly bool
	dropped  float64                            // rows that were too far in the future, since the server started
	flags    map[model.LabelValue]time.Duration // by name; 0 for no bound
}

// The server's flags and metrics that the sink reads.
const (
	flagFlush     = "inmemoryDataFlushInterval"
	flagRetention = "retentionPeriod"
	flagFuture    = "futureRetention"
	flagBackfill  = "maxBackfillAge"

	metricUptime   = "vm_app_uptime_seconds"
	metricReadOnly = "vl_storage_is_read_only" // missing on a node without storage of its own
	metricDropped  = "vl_rows_dropped_total"
	metricFlag     = "flag"
)

var flags = []model.LabelValue{flagFlush, flagRetention, flagFuture, flagBackfill}

// maxMetrics is how much of /metrics is read, in bytes. A server has about 50 KiB.
const maxMetrics = 16 << 20

// state reads the state of the server from its metrics.
func (c *client) state(ctx context.Context) (s state, err error) {
	s.asked = time.Now()
	page := c.Get(ctx, c.metrics, maxMetrics)
	switch {
	case page.Status == http.StatusNotFound:
		return s, fmt.Errorf("%w, and Options.Server", page.Err) // after the advice to check the URL
	case page.Err != nil:
		return s, page.Err
	}
	s.told = time.Now()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(page.Body))
	if err != nil { // it quotes the answer in forms in which secrets would not be found
		return s, fmt.Errorf("GET %s: no metrics of a VictoriaLogs: the answer cannot be parsed", metricsPath)
	}
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, slices.Collect(maps.Values(families))...)
	if err = cmp.Or(err, s.read(samples)); err != nil {
		return s, fmt.Errorf("GET %s: %s", metricsPath, c.Shown(err.Error()))
	}
	return s, nil
}

func (s *state) read(samples model.Vector) error {
	found := map[model.LabelValue]bool{}
	s.flags = map[model.LabelValue]time.Duration{}
	for _, m := range samples {
		name, flag := m.Metric[model.MetricNameLabel], m.Metric["name"]
		found[name] = true
		switch {
		case name == metricUptime:
			s.uptime = time.Duration(m.Value) * time.Second
		case name == metricReadOnly:
			s.readOnly = s.readOnly || m.Value != 0
		case name == metricDropped && m.Metric["reason"] == "too_big_timestamp":
			s.dropped = float64(m.Value)
		case name == metricFlag && slices.Contains(flags, flag):
			d, err := parsePeriod(string(m.Metric["value"]))
			if err != nil {
				return fmt.Errorf("flag -%s: %w", flag, err)
			}
			s.flags[flag], found[flag] = d, d > 0
		}
	}
	for _, name := range []model.LabelValue{metricUptime, metricReadOnly, flagFlush} {
		if !found[name] {
			return fmt.Errorf("there is no %s: this is no VictoriaLogs on a single node", name)
		}
	}
	return nil
}

// parsePeriod parses a duration in the forms of VictoriaLogs' flags: a duration of Go, a
// number of days, weeks or years, or without a unit a number of months of 31 days.
func parsePeriod(text string) (time.Duration, error) {
	if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	const day = 24 * time.Hour
	number := strings.TrimRight(text, "dwy")
	unit := map[string]time.Duration{"": 31 * day, "d": day, "w": 7 * day, "y": 365 * day}[text[len(number):]]
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 || unit == 0 {
		return 0, fmt.Errorf("%q is no period, such as 7d", text)
	}
	return time.Duration(min(n*float64(unit), float64(1<<63-1<<10))), nil
}
