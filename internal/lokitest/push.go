package lokitest

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// refusal is an answer other than 204 to a push.
type refusal struct {
	status int
	text   string
}

// push answers a push. It stores the good entries first. Of the refusals by streams, it answers
// only that of the last stream. When that stream refuses nothing, it answers with the offences that validate has found.
func (s *Standin) push(w http.ResponseWriter, r *http.Request, tenant string) {
	streams, err := decode(r)
	switch {
	case errors.Is(err, errTooLarge):
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	refused := s.take(tenant, streams, time.Now())
	if refused != nil {
		http.Error(w, refused.text, refused.status)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Standin) take(tenant string, streams []pushed, now time.Time) *refusal {
	limits := s.limitsOf(tenant)
	if limits.BlockedUntil.After(now) {
		if limits.BlockedStatus == http.StatusOK {
			return nil // it is answered like a success, and nothing is stored
		}
		return &refusal{limits.BlockedStatus, fmt.Sprintf("ingestion blocked for user %s until '%s' with status code '%d'",
			tenant, limits.BlockedUntil.Format(time.RFC3339), limits.BlockedStatus)}
	}
	good, offences, err := validate(limits, streams, now)
	if err != nil {
		return &refusal{http.StatusInternalServerError, err.Error()}
	}
	lines, bytes, message := 0, 0, 0
	for _, stream := range good {
		message += len(stream.text)
		for _, e := range stream.entries {
			lines++
			bytes += e.size()
			message += e.size() + entryOverhead
		}
	}
	if lines > 0 {
		if !s.store.allow(tenant, limits, bytes, now) {
			return &refusal{http.StatusTooManyRequests, fmt.Sprintf("ingestion rate limit exceeded for user %s (limit: %d bytes/sec) "+
				"while attempting to ingest '%d' lines totaling '%d' bytes, reduce log volume or contact your Loki administrator "+
				"to see if the limit can be increased", tenant, limits.Rate, lines, bytes)}
		}
		if message > maxMessage {
			return &refusal{http.StatusInternalServerError, fmt.Sprintf(
				"rpc error: code = ResourceExhausted desc = grpc: received message larger than max (%d vs. %d)", message, maxMessage)}
		}
		var last *refusal
		for _, stream := range good {
			last, err = s.store.append(tenant, stream, limits, s.behind, now)
			if err != nil {
				return &refusal{http.StatusInternalServerError, err.Error()}
			}
		}
		if last != nil {
			return last
		}
	}
	if len(offences) > 0 {
		return &refusal{http.StatusBadRequest, offenceText(offences)}
	}
	return nil
}

// entryOverhead is the size of an entry in a message without its text: tags, lengths and the timestamp, in bytes.
const entryOverhead = 20

// size returns the number of bytes that Loki counts for an entry.
func (e *entry) size() int {
	n := len(e.Line)
	for _, p := range e.Metadata {
		n += len(p.Name) + len(p.Value)
	}
	return n
}

// offenceText returns one example of each kind of offence, and how many there are of it.
func offenceText(offences []offence) string {
	var kinds []string
	count, first := map[string]int{}, map[string]string{}
	for _, o := range offences {
		if count[o.kind] == 0 {
			kinds = append(kinds, o.kind)
			first[o.kind] = o.text
		}
		count[o.kind]++
	}
	texts := make([]string, len(kinds))
	for i, kind := range kinds {
		texts[i] = first[kind]
		if count[kind] > 1 {
			texts[i] = fmt.Sprintf("%d errors like: %s", count[kind], texts[i])
		}
	}
	return strings.Join(texts, "; ")
}
