package collector_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// While it starts, a collector takes what it was sending at a kill out of its storage, and then puts it back request by
// request. A second kill between the two loses what is not yet back. When this test fails, that has been mended, and the
// package has to stop saying it.
func TestSecondKillWhileTheCollectorStartsLoses(t *testing.T) {
	h := newHammer(t, row{queue: "{storage: file_storage}", extensions: synced, endless: true})
	for end := time.Now().Add(deadline); time.Now().Before(end); h.forget() {
		h.backend.answers(away)
		for range killedWriters {
			events := h.events()
			code, err := post(t.Context(), h.collector.URL, events...)
			if err != nil || code != http.StatusOK {
				t.Fatal(code, err)
			}
			h.confirm(events)
			eventually(t, "a try to send it", func() bool { return h.backend.wasSent(events[0]) > 0 })
		}
		must(t, h.collector.Kill())
		h.killAtStart(t)
		must(t, h.collector.Restart(t.Context()))
		lost := strings.Count(h.collector.Printed(), "Failed retrieving item")
		h.backend.answers(healthy)
		eventually(t, "the events that are not lost", func() bool { return len(h.missing()) <= lost*eventsOfRequest })
		if missing := len(h.missing()); missing > 0 {
			t.Logf("%d requests lost, %d of %d confirmed events missing", lost, missing, len(h.confirmed))
			return
		}
	}
	t.Errorf("no second kill within %s has lost anything", deadline)
}

// killAtStart starts the collector and kills it when it begins to restore its queue.
func (h *hammer) killAtStart(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	log := filepath.Join(filepath.Dir(h.collector.ConfigFile()), "otelcol.log")
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			text, err := os.ReadFile(log)
			if err == nil && strings.Contains(string(text), "Fetching items left for dispatch by consumers") {
				cancel()
			}
		}
	}()
	if err := h.collector.Restart(ctx); err == nil {
		t.Log("it was ready before the kill")
	}
	must(t, h.collector.Kill())
}
