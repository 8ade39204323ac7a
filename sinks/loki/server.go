package loki

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// Server is a kind of server that takes Loki's pushes.
type Server string

const (
	// ServerLoki is Grafana Loki. It refuses what it does not store, recognises an
	// entry that it is sent again, and keeps what it has confirmed in a
	// write-ahead log.
	ServerLoki Server = "loki"

	// ServerVictoriaLogs is VictoriaLogs on a single node. It answers 204 also for
	// an entry that it drops, stores an entry again that it is sent again, and
	// holds what it has answered in memory for some seconds
	// (-inmemoryDataFlushInterval, 5s), which are lost when its process is killed.
	// So the sink refuses what the server would drop (Options.Oldest and Newest),
	// readers fold rows by the field event, and the level is LevelAccepted.
	//
	// With LevelAcknowledged, Write returns nil only after three of those
	// intervals and 2 s, which are 17 s with the server's default and 5 s with
	// 1s, and only if the server says by then that it has run all the time. It
	// reads that from the server's /metrics. Writers wait side by side, and the
	// events of a batch together, so many are as fast as one: put a spool in front.
	ServerVictoriaLogs Server = "victorialogs"
)

// The paths of the push API, and of other pages.
const (
	pushPath       = "/loki/api/v1/push"
	victoriaPrefix = "/insert" // before pushPath
	readyPath      = "/ready"
	metricsPath    = "/metrics"
)

// publicPaths hold no secret.
var publicPaths = []string{pushPath, victoriaPrefix + pushPath, readyPath, metricsPath}

// push returns the address of the push API. VictoriaLogs would parse a line of JSON into
// fields: then there would be no line, and a field of the event would replace metadata of
// the same name. The query of the address tells it not to.
func (s Server) push(base *url.URL) *url.URL {
	if s != ServerVictoriaLogs {
		return base.JoinPath(pushPath)
	}
	u := base.JoinPath(victoriaPrefix, pushPath)
	u.RawQuery = "disable_message_parsing=1"
	return u
}

// Check is the Check of Sink.
func (s *store) Check(ctx context.Context) error {
	if s.opts.Server == ServerVictoriaLogs {
		return s.checkVictoriaLogs(ctx)
	}
	switch ready := s.client.Get(ctx, s.client.ready, 0); ready.Status {
	case 0:
		return fmt.Errorf("loki: cannot be reached: check the URL, the network and TLS: %w", ready.Err)
	case http.StatusServiceUnavailable:
		return fmt.Errorf("loki: not ready: %w", ready.Err)
	}
	// A gateway that passes on only pushes may answer in any other way.
	a := s.provePush(ctx, s.opts.labelsOf(streamKey{}))
	switch {
	case a.err == nil:
		return fmt.Errorf("loki: %w", errNothingStored)
	case a.status == http.StatusBadRequest && tooNew.MatchString(a.text):
		return nil
	}
	return fmt.Errorf("loki: does not take pushes: %w", a.err)
}

// proofTime is the last second that Loki can express, in 2262. It refuses an
// entry of that time whatever its limits are, without storing anything: a
// creation_grace_period that reached so far would overflow.
const proofTime = int64(9223372036) * int64(time.Second)

const proofLine = "This entry is too far in the future to be stored: its refusal shows that Loki reads what it is sent."

// provePush pushes the entry that Loki must refuse.
func (s *store) provePush(ctx context.Context, labels string) answer {
	body, _ := requestBody(labels, []entry{{at: placement{ns: proofTime}}})
	return s.client.push(ctx, body)
}

var errNothingStored = errors.New("it answers 204 to an entry of the year 2262, which Loki refuses: it stores nothing " +
	"(limits_config.block_ingestion_status_code: 200), or it is not Loki: see Options.ProveEvery")

// proofIsDue reports that Loki has to prove again that it stores what it confirms.
func (q *stream) proofIsDue() bool {
	every := q.store.opts.ProveEvery
	if every <= 0 {
		return false
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return time.Since(q.proved) >= every
}

// prove asks for a proof when one is due. When the answer has no error, the stream may
// push.
func (q *stream) prove(ctx context.Context) answer {
	if !q.proofIsDue() {
		return answer{}
	}
	if q.proving.Acquire(ctx, 1) != nil {
		return answer{err: marked(ctx, context.Cause(ctx)), known: notSent}
	}
	defer q.proving.Release(1)
	if !q.proofIsDue() { // another push has asked meanwhile
		return answer{}
	}
	a := q.store.provePush(ctx, q.labels)
	switch {
	case a.err == nil:
		return answer{err: driver.WithClass(auditing.ClassTransient, errNothingStored), known: notSent}
	case a.status != http.StatusBadRequest:
		return answer{err: a.err, known: notSent} // without the status, which is not that of a push
	}
	// Any 400 is a proof, because only a server that reads the entry answers it. If it has
	// another reason, the push will be answered 400 as well.
	q.mu.Lock()
	defer q.mu.Unlock()
	q.proved = time.Now()
	return answer{}
}

// numbers matches a tenant of VictoriaLogs: an account, or an account and a project.
var numbers = regexp.MustCompile(`^[0-9]{1,10}(:[0-9]{1,10})?$`)

// margin is subtracted from Oldest, because the clocks of two machines differ, and because
// the server may check an entry only when its push has lasted for the Timeout. For Newest,
// a minute is enough.
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

// checkVictoriaLogs returns an error unless the server can be reached, keeps events as long
// as the options say, and accepts pushes with these credentials. It pushes an entry of the
// year 2262, which the server has to drop, and waits for its count of dropped rows to grow.
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
	const metricsAge = 3 * time.Second // longer than the server caches its metrics, which is about 1 s
	for until := time.Now().Add(metricsAge); ; {
		after, err := s.client.state(ctx)
		switch {
		case err != nil:
			return fmt.Errorf(unreadable, err)
		case after.dropped > before.dropped:
			return nil
		case time.Now().After(until):
			return fmt.Errorf("loki: the server answers 204 to an entry of the year 2262 and does not count it as dropped (%s): "+
				"the page %s is not of the server that takes the pushes", metricDropped, metricsPath)
		}
		if err := pause(ctx, askAgain); err != nil {
			return fmt.Errorf("loki: VictoriaLogs has not yet counted a dropped entry: %w", err)
		}
	}
}

// fits returns an error that names each option that allows older or newer events than the
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
	exceeds("Newest", o.Newest, flagFuture, max(s.flags[flagFuture], 24*time.Hour)) // it accepts at least a day
	if s.readOnly {
		errs = append(errs, errors.New("the server's disk is full: it takes nothing (vl_storage_is_read_only)"))
	}
	return errors.Join(errs...)
}
