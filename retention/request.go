package retention

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/paddock-dev/audit/internal/stopping"
)

const (
	// listTimeout and deleteTimeout bound one attempt at the API server.
	listTimeout   = 30 * time.Second
	deleteTimeout = 10 * time.Second
	// tryFor is how long one request is tried again before the pass ends.
	tryFor = 2 * time.Minute
	// longestPause is the most that is waited between two attempts.
	longestPause = 15 * time.Second
)

// noAnswerError is a request that was tried for tryFor: the server is not there.
type noAnswerError struct{ err error }

func (e *noAnswerError) Error() string {
	return fmt.Sprintf("tried again for %s, the last error: %v", tryFor, e.err)
}
func (e *noAnswerError) Unwrap() error { return e.err }

// try makes a request of an operation, and makes it again with growing pauses
// while that may help.
func (r *Reaper) try(ctx context.Context, op string, request func(context.Context) error) error {
	pauses := backoff.NewExponentialBackOff()
	pauses.MaxInterval = longestPause
	for begin := time.Now(); ; {
		err := once(ctx, op, request)
		if err == nil || isGone(err) || apierrors.IsConflict(err) || apierrors.IsResourceExpired(err) {
			return err
		}
		if ctx.Err() != nil {
			return stopped(ctx, err)
		}
		r.metrics.failures.WithLabelValues(op).Inc()
		if isRefused(err) {
			return explain(err, op)
		}
		pause := pauses.NextBackOff()
		if seconds, asked := apierrors.SuggestsClientDelay(err); asked {
			pause = min(max(pause, time.Duration(seconds)*time.Second), longestPause)
		}
		if time.Since(begin)+pause > tryFor {
			return &noAnswerError{err: explain(err, op)}
		}
		r.logger.WarnContext(ctx, "a request failed and is made again", "operation", op, "error", explain(err, op).Error(), "pause", pause.String())
		select {
		case <-ctx.Done():
			return stopped(ctx, err)
		case <-time.After(pause):
		}
	}
}

// once makes one attempt. When ctx ends, a delete that was sent is given some time to be
// answered, so that it is counted as what it is.
func once(ctx context.Context, op string, request func(context.Context) error) error {
	bounded, timeout := context.WithTimeout, listTimeout
	if op == opDelete {
		bounded, timeout = stopping.Context, deleteTimeout
	}
	ctx, cancel := bounded(ctx, timeout)
	defer cancel()
	return request(ctx)
}

// errNoAnswer is wrapped by the error of a request that was stopped before the server
// had answered it.
var errNoAnswer = errors.New("stopped before the API server answered, so the outcome is unknown")

// stopped is the error of a request that is not made again, because ctx has ended.
func stopped(ctx context.Context, err error) error {
	var answer apierrors.APIStatus
	if errors.As(err, &answer) {
		return fmt.Errorf("stopped: %w, after: %w", ctx.Err(), err)
	}
	return fmt.Errorf("%w: %w", errNoAnswer, err)
}

// isGone reports that the server has no such object. A server that has no such resource,
// because it has just started, gives another answer.
func isGone(err error) bool {
	return apierrors.IsNotFound(err) && !apierrors.IsUnexpectedServerError(err)
}

// isRefused reports an answer that the same request would get again.
func isRefused(err error) bool {
	return apierrors.IsForbidden(err) || apierrors.IsInvalid(err) || apierrors.IsBadRequest(err) || apierrors.IsMethodNotSupported(err)
}

// explain adds what to do to an error of the API server.
func explain(err error, op string) error {
	switch {
	case apierrors.IsForbidden(err) && op == opDelete:
		return fmt.Errorf("%w: the reaper needs the verb delete on auditevents in every namespace, and the admission policy must let it", err)
	case apierrors.IsForbidden(err) && op == opClaim:
		return fmt.Errorf("%w: the reaper needs the verbs get, create and update on leases in its namespace", err)
	case apierrors.IsForbidden(err):
		return fmt.Errorf("%w: the reaper needs the verb %s on auditevents in every namespace", err, op)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: the API server does not know AuditEvent, apply deploy/crd", err)
	}
	return err
}
