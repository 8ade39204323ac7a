package loki

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// The defaults of VictoriaLogs' -retentionPeriod and -futureRetention.
const (
	victoriaOldest = 7 * 24 * time.Hour
	victoriaNewest = 2 * 24 * time.Hour
)

// maxVictoriaName bounds the name of a field, in bytes: VictoriaLogs drops an
// entry with a longer one.
const maxVictoriaName = 128

// numbers is a tenant of VictoriaLogs: an account, or an account and a project.
var numbers = regexp.MustCompile(`^[0-9]{1,10}(:[0-9]{1,10})?$`)

// validateVictoriaLogs says with wrong what VictoriaLogs does not take.
func (o *Options) validateVictoriaLogs(wrong func(field, format string, args ...any)) {
	if o.ProveEvery > 0 {
		wrong("ProveEvery", "VictoriaLogs confirms any timestamp, so it proves nothing: leave it out")
	}
	if o.TenantID != "" && !numbers.MatchString(o.TenantID) {
		wrong("TenantID", "VictoriaLogs takes numbers, such as 12 or 12:34")
	}
	if 0 <= o.Oldest && o.Oldest <= o.margin() {
		wrong("Oldest", "is too short: want more than the margin of %s", o.margin())
	}
	if 0 <= o.Newest && o.Newest <= time.Minute {
		wrong("Newest", "is too short: want more than the margin of 1m")
	}
}

// margin is left within Oldest, and without Timeout within Newest: the clocks of two
// machines differ, and the server looks at an entry as late as its push may last.
func (o *Options) margin() time.Duration { return time.Minute + o.Timeout }

// keeps returns an error when the server would drop e for its time.
func (o *Options) keeps(e *driver.Event, now time.Time) error {
	at := e.Time()
	if o.Oldest > 0 && at.Before(now.Add(-o.Oldest+o.margin())) {
		return fmt.Errorf("not sent: the event is of %s, and the server keeps nothing older than %s (Options.Oldest, with a margin of %s): "+
			"it would confirm the event and drop it", at.Format(time.RFC3339), o.Oldest, o.margin())
	}
	if o.Newest > 0 && at.After(now.Add(o.Newest-time.Minute)) {
		return fmt.Errorf("not sent: the event is of %s, and the server takes nothing further ahead than %s (Options.Newest, with a margin of 1m): "+
			"it would confirm the event and drop it", at.Format(time.RFC3339), o.Newest)
	}
	return nil
}

// checkVictoriaLogs says whether the server is there, keeps what the options say,
// and takes pushes with these credentials. It sends an entry of the year 2262,
// which the server has to drop, and looks for that in its count of dropped rows.
func (s *store) checkVictoriaLogs(ctx context.Context) error {
	const unreadable = "loki: what VictoriaLogs says of itself cannot be read: %w"
	before, err := s.client.state(ctx)
	if err != nil {
		return fmt.Errorf(unreadable, err)
	}
	if err := s.opts.fits(before); err != nil {
		return fmt.Errorf("loki: %w", err)
	}
	if a := s.provePush(ctx, s.opts.labelsOf(streamKey{})); a.err != nil {
		return fmt.Errorf("loki: does not take pushes: %w", a.err)
	}
	for until := time.Now().Add(metricsAge); ; {
		after, err := s.client.state(ctx)
		switch {
		case err != nil:
			return fmt.Errorf(unreadable, err)
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
func (o *Options) fits(s state) error {
	var errs []error
	exceeds := func(option string, have time.Duration, flag string, keeps time.Duration) {
		if keeps > 0 && have > keeps {
			errs = append(errs, fmt.Errorf("the server drops and confirms what is beyond %s (-%s), and Options.%s is %s", keeps, flag, option, have))
		}
	}
	exceeds("Oldest", o.Oldest, flagRetention, s.flags[flagRetention])
	exceeds("Oldest", o.Oldest, flagBackfill, s.flags[flagBackfill])
	exceeds("Newest", o.Newest, flagFuture, max(s.flags[flagFuture], 24*time.Hour)) // it takes a day at least
	if s.readOnly {
		errs = append(errs, errors.New("the server's disk is full: it takes nothing (vl_storage_is_read_only)"))
	}
	return errors.Join(errs...)
}
