package collector_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/internal/testenv"
)

const (
	// killsEnv is how often the collector is killed.
	killsEnv     = "AUDIT_COLLECTOR_KILLS"
	defaultKills = 10

	killedWriters   = 8
	eventsOfRequest = 20
	// killsOfARound bounds the events that are compared at once.
	killsOfARound = 20
)

func TestKillsOfACollectorWithItsQueueOnDiskLoseNothing(t *testing.T) {
	kills := defaultKills
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		must(t, err)
	}
	r := row{queue: "{storage: file_storage}", extensions: synced, endless: true}
	h := newHammer(t, r)
	confirmed := 0
	for done := 0; done < kills; {
		for range min(killsOfARound, kills-done) {
			h.kill(t)
			done++
		}
		h.backend.answers(healthy)
		eventually(t, fmt.Sprintf("all that was confirmed before kill %d", done), func() bool { return len(h.missing()) == 0 })
		confirmed += h.forget()
	}
	if confirmed == 0 {
		t.Error("nothing was confirmed: the test shows nothing")
	}
	t.Logf("%d kills, %d events confirmed, none missing", kills, confirmed)
}

func TestKillsOfACollectorWithItsQueueInMemoryLose(t *testing.T) {
	h := newHammer(t, row{endless: true})
	for kills := 1; ; kills++ {
		h.kill(t)
		if len(h.confirmed) == 0 {
			continue // it was killed before its first answer
		}
		// With a marker behind them, whatever is still to come has come.
		h.backend.answers(healthy)
		eventually(t, "the answer to the marker", func() bool {
			code, err := post(t.Context(), h.collector.URL, marker)
			return err == nil && code == http.StatusOK
		})
		eventually(t, "the marker", func() bool { return h.backend.has(marker) })
		missing := len(h.missing())
		t.Logf("%d kills, %d events confirmed, %d missing", kills, len(h.confirmed), missing)
		if missing > 0 {
			return
		}
		h.forget()
	}
}

// hammer writes to a collector and kills it.
type hammer struct {
	collector *testenv.OTelCol
	backend   *backend
	sent      int // requests, for their names

	mu        sync.Mutex
	confirmed []string
}

func newHammer(t *testing.T, r row) *hammer {
	t.Helper()
	b := newBackend(t)
	return &hammer{backend: b, collector: testenv.NewOTelCol(t, r.config(b.URL, "1h", ""))}
}

// kill has writers send events until the collector is killed at a random moment, and starts it again. Meanwhile the backend
// fails at every other request, so that the queue is never empty.
func (h *hammer) kill(t *testing.T) {
	t.Helper()
	h.backend.answers(flapping)
	var writers sync.WaitGroup
	for range killedWriters {
		writers.Go(func() {
			for {
				events := h.events()
				code, err := post(t.Context(), h.collector.URL, events...)
				if err != nil {
					return // it was killed
				}
				if code == http.StatusOK { // a full queue answers 503
					h.confirm(events)
				}
			}
		})
	}
	timer := time.NewTimer(time.Duration(rand.ExpFloat64() * float64(60*time.Millisecond)))
	defer timer.Stop()
	<-timer.C
	err := h.collector.Kill()
	writers.Wait()
	must(t, err)
	must(t, h.collector.Restart(t.Context()))
}

// events returns the events of one request.
func (h *hammer) events() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sent++
	events := make([]string, eventsOfRequest)
	for i := range events {
		events[i] = fmt.Sprintf("%d-%d", h.sent, i)
	}
	return events
}

func (h *hammer) confirm(events []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.confirmed = append(h.confirmed, events...)
}

// missing returns the confirmed events that the backend does not have. No writer runs meanwhile.
func (h *hammer) missing() (all []string) {
	h.backend.mu.Lock()
	defer h.backend.mu.Unlock()
	for _, event := range h.confirmed {
		if !h.backend.stored[event] {
			all = append(all, event)
		}
	}
	return all
}

// forget begins again, and returns how many events were confirmed.
func (h *hammer) forget() int {
	n := len(h.confirmed)
	h.confirmed = nil
	h.backend.forget()
	return n
}
