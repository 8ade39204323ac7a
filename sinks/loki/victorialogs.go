package loki

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// state is what a VictoriaLogs says of itself in its metrics.
type state struct {
	asked, told time.Time // around the answer

	uptime time.Duration // in whole seconds, cut
	flush  time.Duration // -inmemoryDataFlushInterval

	readOnly bool
	dropped  float64 // rows that were too far ahead, since it started

	// What the flags say; 0 for no bound.
	retention, future, backfill time.Duration
}

// maxMetrics bounds what is read of /metrics, in bytes. A server has about 50 KiB.
const maxMetrics = 16 << 20

// state asks the server.
func (c *client) state(ctx context.Context) (s state, err error) {
	s.asked = time.Now()
	resp, err := c.ask(ctx, c.metrics, nil)
	if err != nil {
		return s, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, maxText)) // the status counts
		return s, statusError(c.metrics, resp.StatusCode, c.secrets.Replace(strings.ToValidUTF8(strings.TrimSpace(string(text)), "?")))
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.LimitReader(resp.Body, maxMetrics))
	if err != nil {
		return s, fmt.Errorf("GET %s: no metrics of a VictoriaLogs: %w", c.metrics.URL, err)
	}
	s.told = time.Now()
	if err := s.read(families); err != nil {
		return s, fmt.Errorf("GET %s: %w", c.metrics.URL, err)
	}
	return s, nil
}

// The server's metrics that the sink looks at.
const (
	metricUptime   = "vm_app_uptime_seconds"
	metricReadOnly = "vl_storage_is_read_only" // a node without storage of its own has none
	metricDropped  = "vl_rows_dropped_total"
	metricFlag     = "flag"
)

func (s *state) read(families map[string]*dto.MetricFamily) error {
	for _, name := range []string{metricUptime, metricReadOnly, metricFlag} {
		if len(families[name].GetMetric()) == 0 {
			return fmt.Errorf("there is no %s: this is no VictoriaLogs on a single node", name)
		}
	}
	s.uptime = time.Duration(value(families[metricUptime].GetMetric()[0])) * time.Second
	for _, m := range families[metricReadOnly].GetMetric() {
		s.readOnly = s.readOnly || value(m) != 0
	}
	for _, m := range families[metricDropped].GetMetric() {
		if labelOf(m, "reason") == "too_big_timestamp" {
			s.dropped = value(m)
		}
	}
	var errs []error
	for _, m := range families[metricFlag].GetMetric() {
		var into *time.Duration
		switch labelOf(m, "name") {
		case "inmemoryDataFlushInterval":
			into = &s.flush
		case "retentionPeriod":
			into = &s.retention
		case "futureRetention":
			into = &s.future
		case "maxBackfillAge":
			into = &s.backfill
		default:
			continue
		}
		d, err := parsePeriod(labelOf(m, "value"))
		if err != nil {
			errs = append(errs, fmt.Errorf("flag -%s: %w", labelOf(m, "name"), err))
		}
		*into = d
	}
	if s.flush == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("there is no flag -inmemoryDataFlushInterval: this is no VictoriaLogs on a single node"))
	}
	return errors.Join(errs...)
}

func value(m *dto.Metric) float64 {
	return m.GetUntyped().GetValue() + m.GetGauge().GetValue() + m.GetCounter().GetValue()
}

func labelOf(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// parsePeriod reads a duration as VictoriaLogs' flags have it: as Go has it, or a
// number of hours, days, weeks or years, or without a unit of months of 31 days.
func parsePeriod(text string) (time.Duration, error) {
	const day = 24 * time.Hour
	units := map[byte]time.Duration{'d': day, 'w': 7 * day, 'y': 365 * day}
	number, unit := text, 31*day
	if n := len(text); n > 0 && units[text[n-1]] != 0 {
		number, unit = text[:n-1], units[text[n-1]]
	} else if d, err := time.ParseDuration(text); err == nil {
		return d, nil
	}
	n, err := strconv.ParseFloat(number, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is no period, such as 7d", text)
	}
	return time.Duration(min(n*float64(unit), float64(1<<63-1<<10))), nil
}

// checkVictoriaLogs says whether the server is there, keeps what the options say,
// and takes pushes with these credentials. It sends an entry of the year 2262,
// which the server has to drop, and looks for that in its count of dropped rows.
func (s *store) checkVictoriaLogs(ctx context.Context) error {
	before, err := s.client.state(ctx)
	if err != nil {
		return fmt.Errorf("loki: what VictoriaLogs says of itself cannot be read: %w", err)
	}
	if err := s.opts.fits(before); err != nil {
		return fmt.Errorf("loki: %w", err)
	}
	if a := s.provePush(ctx, s.labels.of(streamKey{})); a.kind != answerStored {
		return fmt.Errorf("loki: does not take pushes: %w", a.err)
	}
	for until := time.Now().Add(metricsAge); ; {
		after, err := s.client.state(ctx)
		switch {
		case err != nil:
			return fmt.Errorf("loki: what VictoriaLogs says of itself cannot be read: %w", err)
		case after.dropped > before.dropped:
			return nil
		case time.Now().After(until):
			return fmt.Errorf("loki: the server answers 204 to an entry of the year 2262 and does not count it as dropped (%s): "+
				"%s is not of the server that takes the pushes", metricDropped, s.client.metrics.URL)
		}
		if err := pause(ctx, firstAgain); err != nil {
			return fmt.Errorf("loki: VictoriaLogs has not yet counted a dropped entry: %w", err)
		}
	}
}

// metricsAge is longer than the server gives the same metrics again: about 1 s.
const metricsAge = 3 * time.Second

// fits returns an error that names every option that promises more than the
// server keeps.
func (o Options) fits(s state) error {
	var errs []error
	exceeds := func(option string, have time.Duration, flag string, keeps time.Duration) {
		if keeps > 0 && have > keeps {
			errs = append(errs, fmt.Errorf("the server drops and confirms what is beyond %s (-%s), and Options.%s is %s", keeps, flag, option, have))
		}
	}
	exceeds("Oldest", o.Oldest, "retentionPeriod", s.retention)
	exceeds("Oldest", o.Oldest, "maxBackfillAge", s.backfill)
	exceeds("Newest", o.Newest, "futureRetention", max(s.future, 24*time.Hour)) // it takes a day at least
	if s.readOnly {
		errs = append(errs, errors.New("the server's disk is full: it takes nothing (vl_storage_is_read_only)"))
	}
	return errors.Join(errs...)
}
