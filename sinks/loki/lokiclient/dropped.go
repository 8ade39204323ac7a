package lokiclient

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/go-kit/kit/log"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/paddock-dev/audit/internal/secrets"
	"github.com/paddock-dev/audit/internal/texts"
)

// The counters that the client registers with the default registry when it is
// linked. They are all that it says about what became of an entry.
const (
	sentEntries    = "promtail_sent_entries_total"
	droppedEntries = "promtail_dropped_entries_total"
	hostLabel      = "host"
)

// counted is what the client counted for one host since the program began.
type counted struct{ sent, dropped int64 }

func readCounters(host string) (counted, error) {
	families, gathering := prometheus.DefaultGatherer.Gather()
	samples, err := expfmt.ExtractSamples(&expfmt.DecodeOptions{}, families...)
	counts := map[model.LabelValue]int64{}
	for _, s := range samples {
		if string(s.Metric[hostLabel]) == host {
			counts[s.Metric[model.MetricNameLabel]] = int64(s.Value)
		}
	}
	sent, hasSent := counts[sentEntries]
	dropped, hasDropped := counts[droppedEntries]
	if hasSent && hasDropped {
		return counted{sent: sent, dropped: dropped}, nil // another collector's error is not ours
	}
	missing := fmt.Errorf("prometheus.DefaultGatherer has no %s and %s for the host: something replaced it", sentEntries, droppedEntries)
	return counted{}, cmp.Or(gathering, err, missing)
}

// dropped returns the error of Close, or nil when the client says of no entry
// that it was dropped.
func (h *handler) dropped() error {
	words := h.said.last()
	if words == "" {
		return nil // a counter that has grown is that of another sink for the same host
	}
	now, err := readCounters(h.host)
	if err != nil {
		return fmt.Errorf("lokiclient: the client dropped entries (%s), and how many is unknown: %w", words, err)
	}
	return fmt.Errorf("lokiclient: the client dropped %d entries: %s", now.dropped-h.before.dropped, words)
}

// unconfirmed says how many of the entries that the client took have no outcome.
func (h *handler) unconfirmed() string {
	handed := h.handed.Load()
	now, err := readCounters(h.host)
	if err != nil {
		return fmt.Sprintf("of %d entries it took, an unknown number is unconfirmed", handed)
	}
	settled := now.sent - h.before.sent + now.dropped - h.before.dropped
	return fmt.Sprintf("%d of %d entries it took are unconfirmed", max(handed-settled, 0), handed)
}

// said is the client's logger. It keeps the last that the client said about
// entries it gave up, for which there is no other way to learn why.
type said struct {
	next   log.Logger
	hidden *secrets.Secrets // the path of the address

	mu   sync.Mutex
	text string
}

// Log is called by the client.
func (s *said) Log(keyvals ...any) error {
	keyvals = slices.Clone(keyvals)
	values := map[string]string{}
	for i := 0; i+1 < len(keyvals); i += 2 {
		if err, ok := keyvals[i+1].(error); ok { // which quotes the address
			keyvals[i+1] = s.hidden.Hidden(err)
		}
		values[fmt.Sprint(keyvals[i])] = fmt.Sprint(keyvals[i+1])
	}
	if values["level"] == "error" && strings.Contains(values["msg"], "batch") {
		s.mu.Lock()
		s.text = texts.Visible(values["msg"] + ": " + values["error"]) // which quotes the server
		s.mu.Unlock()
	}
	if s.next == nil {
		return nil
	}
	return s.next.Log(keyvals...)
}

func (s *said) last() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text
}
