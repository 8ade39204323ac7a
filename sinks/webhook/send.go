package webhook

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/driver/batcher"
	"github.com/paddock-dev/audit/driver/httpdriver"
)

// send sends one request with events, and returns the outcome of each.
func (s *store) send(ctx context.Context, events []*driver.Event) []error {
	start := time.Now()
	if err := s.mayBeAsked(start); err != nil {
		return driver.All(len(events), err)
	}
	header := http.Header{}
	body := s.opts.request(header, events)
	if err := s.signer.sign(header, idOf(events), start, body); err != nil {
		return driver.All(len(events), driver.WithClass(auditing.ClassTransient, fmt.Errorf("not sent: %w", err)))
	}
	s.metrics.InFlight.Inc()
	a := s.client.Post(ctx, body, header)
	s.metrics.InFlight.Dec()
	s.metrics.Observe(a.Status, len(events), len(body), time.Since(start))
	s.note(a, time.Now())
	if a.Err != nil && a.Verdict == httpdriver.Refused && splits(a.Status) {
		return driver.All(len(events), batcher.Again(a.Err))
	}
	return driver.All(len(events), a.Err)
}

// splits reports that a status refuses a request because of its size, or of one of its events,
// and does not say which.
func splits(status int) bool {
	return status == http.StatusRequestEntityTooLarge || status == http.StatusBadRequest || status == http.StatusUnprocessableEntity
}

// request returns the body of a request, and sets the headers that say what it is.
func (o *Options) request(h http.Header, events []*driver.Event) []byte {
	const contentType = "Content-Type"
	switch o.Mode {
	case ModeBinary:
		h[contentType] = []string{mediaData}
		setHeader(h, events[0], o.Source)
		return events[0].JSON()
	case ModeBatch:
		h[contentType] = []string{mediaBatch}
		return appendBatch(make([]byte, 0, roomFor(events)), events, o.Source)
	}
	h[contentType] = []string{mediaStructured}
	return appendEvent(make([]byte, 0, roomFor(events)), events[0], o.Source)
}

// roomFor returns how many bytes events take as CloudEvents, about.
func roomFor(events []*driver.Event) (size int) {
	for _, e := range events {
		size += len(e.JSON()) + eventExtra
	}
	return size
}

// appendBatch appends events in the JSON batch format.
func appendBatch(dst []byte, events []*driver.Event, source string) []byte {
	before := byte('[')
	for _, e := range events {
		dst = appendEvent(append(dst, before), e, source)
		before = ','
	}
	return append(dst, ']')
}

// judge changes what an answer means where webhooks differ from other servers.
func (o *Options) judge(a *httpdriver.Answer) {
	switch a.Status {
	case http.StatusAccepted:
		if o.Level == auditing.LevelAccepted {
			a.Verdict = httpdriver.Stored
			return
		}
		a.Verdict = httpdriver.Refused
		a.Advice = "the receiver has only accepted it, which is less than Options.Level acknowledged promises: " +
			"let it answer 204 once it has stored the event, or state the level accepted"
	case http.StatusGone:
		a.Verdict = httpdriver.Refused
		a.Advice = "the receiver wants no more events, and gets none until the sink is made anew"
	case http.StatusUnsupportedMediaType:
		a.Advice = "check that the receiver takes CloudEvents of Options.Mode"
	}
}
