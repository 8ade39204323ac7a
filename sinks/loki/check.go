package loki

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// proofTime is the last second that Loki can express, in 2262. It refuses an
// entry of that time whatever its limits are, without storing anything: a
// creation_grace_period that reached so far would overflow.
const proofTime = int64(9223372036) * int64(time.Second)

const proofLine = "This entry is too far in the future to be stored: its refusal shows that Loki reads what it is sent."

// Check is that of Sink.
func (s *store) Check(ctx context.Context) error {
	if s.opts.Server == ServerVictoriaLogs {
		return s.checkVictoriaLogs(ctx)
	}
	status, text, err := s.client.do(ctx, s.client.ready, nil)
	switch {
	case err != nil:
		return fmt.Errorf("loki: cannot be reached: check the URL, the network and TLS: %w", err)
	case status == http.StatusServiceUnavailable:
		return fmt.Errorf("loki: not ready: %w", statusError(s.client.ready, status, text))
	}
	// Any other answer may be that of a gateway that only lets pushes through.
	a := s.provePush(ctx, s.labels.of(streamKey{}))
	switch {
	case a.kind == answerPartial && tooNew.MatchString(a.text):
		return nil
	case a.kind == answerStored:
		return fmt.Errorf("loki: %w", errNothingStored)
	default:
		return fmt.Errorf("loki: does not take pushes: %w", a.err)
	}
}

// provePush sends the entry that Loki must refuse.
func (s *store) provePush(ctx context.Context, labels string) answer {
	e := &entry{at: placement{ns: proofTime}, line: []byte(proofLine)}
	e.size = e.encodedSize()
	compressed, _ := body(labels, []*entry{e})
	return s.client.send(ctx, compressed)
}

type nothingStored struct{}

func (nothingStored) Error() string {
	return "it answers 204 to an entry of the year 2262, which Loki refuses: it stores nothing " +
		"(limits_config.block_ingestion_status_code: 200), or it is not Loki: see Options.ProveEvery"
}

var errNothingStored = nothingStored{}

// unproved reports that it is time for prove to ask. The caller holds the mutex.
func (q *stream) unproved() bool {
	every := q.store.opts.ProveEvery
	return every > 0 && time.Since(q.proved) >= every
}

// prove sees that Loki is not told to drop what it is sent and to say yes. The
// answer is one of kind answerStored when a push may follow.
func (q *stream) prove(ctx context.Context) answer {
	q.mu.Lock()
	due := q.unproved()
	q.mu.Unlock()
	if !due {
		return answer{kind: answerStored}
	}
	a := q.store.provePush(ctx, q.labels)
	switch {
	case a.kind == answerStored:
		return answer{kind: answerBlocked, status: a.status, err: driver.WithClass(auditing.ClassTransient, errNothingStored)}
	case a.kind != answerPartial:
		a.sent = false
		return a
	}
	// Any 400 is proof: it comes from somebody who reads what it is sent. One for
	// another reason comes back for the push as well.
	q.mu.Lock()
	q.proved = time.Now()
	q.mu.Unlock()
	return answer{kind: answerStored}
}
