package logserver_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/loki"
)

func TestFollowYieldsEachEventOnceAsItComes(t *testing.T) {
	everywhere(t, loki.Options{}, func(t *testing.T, p place) {
		before := append(events(300, time.Now().Add(-time.Second)), events(20, time.Now().Add(-2*time.Hour))...)
		write(t, p.sink, before...)
		p.settle(t) // or those of 2 hours ago would become visible behind the overlap
		f := follow(t, p.source(50, time.Minute), &reading.Query{})
		f.gets(t, before)
		for range 5 {
			batch := events(100, time.Now())
			write(t, p.sink, batch...)
			write(t, p.sink, batch[:10]...)
			f.gets(t, batch)
		}
		write(t, p.sink, events(1, time.Now())...)
		<-f.events
		if len(f.events) > 0 || len(f.errs) > 0 {
			t.Errorf("%d events came twice, and %d errors", len(f.events), len(f.errs))
		}
	})
}

func TestFollowFindsLateEventsWithinTheOverlap(t *testing.T) {
	everywhere(t, loki.Options{}, func(t *testing.T, p place) {
		f := follow(t, p.source(0, time.Hour), &reading.Query{})
		first := events(1, time.Now())
		write(t, p.sink, first...)
		f.gets(t, first)
		late := append(events(30, time.Now().Add(-50*time.Minute)), events(30, time.Now().Add(5*time.Minute))...)
		if p.name == "loki" { // where they are in a stream of their own
			late = append(late, events(30, time.Now().Add(-8*24*time.Hour))...)
			late = append(late, events(30, time.Now().Add(30*time.Hour))...)
		}
		write(t, p.sink, late...)
		f.gets(t, late)
	})
}

func TestFollowGoesOnAfterAKilledServer(t *testing.T) {
	testenv.NeedsOwnLoki(t)
	v := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{Flags: []string{"-retentionPeriod=100y", "-inmemoryDataFlushInterval=1s"}})
	for _, p := range []place{
		onLoki(t, testenv.NewLoki(t, testenv.LokiOptions{}), loki.Options{}),
		onVictoriaLogs(t, v, loki.Options{Level: auditing.LevelAcknowledged}), // what it confirms survives the kill
	} {
		t.Run(p.name, func(t *testing.T) {
			f := follow(t, p.source(7, time.Minute), &reading.Query{})
			before := events(50, time.Now())
			write(t, p.sink, before...)
			f.gets(t, before)
			if err := p.kill(); err != nil {
				t.Fatal(err)
			}
			<-f.errs
			if err := p.restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			after := events(50, time.Now())
			write(t, p.sink, after...)
			f.gets(t, after)
			if len(f.events) > 0 {
				t.Errorf("%d events came twice", len(f.events))
			}
		})
	}
}

// Loki's default is 30 days and an hour (max_query_length).
func TestWindowsTooLongForTheServerAreReadInParts(t *testing.T) {
	l := sharedLoki(t)
	p := onLoki(t, l, loki.Options{})
	now := time.Now()
	all := append(events(20, now), events(20, now.Add(-100*time.Hour))...)
	write(t, p.sink, all...)
	refused := 0
	s := lokiAt(t, before(t, l.URL, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if d := span(t, r); d > 721*time.Hour {
			refused++
			http.Error(w, "the query time range exceeds the limit (query length: "+d.String()+", limit: 721h0m0s)", http.StatusBadRequest)
			return
		}
		next.ServeHTTP(w, r)
	}), p.service)
	same(t, "in parts", read(t, s, &reading.Query{}), sorted(all))
	if refused == 0 || refused > 4 {
		t.Errorf("%d requests were refused", refused)
	}
}
