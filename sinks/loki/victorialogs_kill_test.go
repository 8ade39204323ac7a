package loki_test

import (
	"context"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

// serverKillsEnv is how often VictoriaLogs is killed at each level.
const serverKillsEnv = "AUDIT_LOKI_SERVER_KILLS"

func TestVictoriaLogsKillsLoseWhatTheLevelAllows(t *testing.T) {
	kills := 1
	if n, err := strconv.Atoi(os.Getenv(serverKillsEnv)); err == nil {
		kills = n
	}
	for _, level := range []auditing.Level{auditing.LevelAccepted, auditing.LevelAcknowledged} {
		t.Run(level.String(), func(t *testing.T) {
			t.Parallel()
			confirmed, lost := killedUnderLoad(t, level, kills)
			t.Logf("%s: %d kills of the server, %d events confirmed, %d of them lost", level, kills, confirmed, lost)
			if level == auditing.LevelAcknowledged && lost > 0 {
				t.Errorf("%d acknowledged events are lost", lost)
			}
		})
	}
}

// killedUnderLoad kills a VictoriaLogs while 64 writers write to it, and returns
// how many events were confirmed and how many of them the server does not hold.
func killedUnderLoad(t *testing.T, level auditing.Level, kills int) (confirmed, lost int) {
	v := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{Flags: []string{"-inmemoryDataFlushInterval=1s"}})
	const service = "killed"
	sink := retried(t, open(t, v.URL, loki.Options{Server: loki.ServerVictoriaLogs, Level: level, ServiceName: service}), 25*time.Second)
	ns := namespace()
	var mu sync.Mutex
	names := map[string]bool{}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(names)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for ctx.Err() == nil {
				ae := event(ns, "x")
				if err := sink.Write(context.WithoutCancel(ctx), ae); err != nil {
					continue // a failed write may be stored or not
				}
				mu.Lock()
				names[ae.Name] = true
				mu.Unlock()
			}
		})
	}
	for range kills {
		before := count()
		waitLong(t, func() bool { return count() >= before+200 })
		if err := v.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := v.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	before := count()
	waitLong(t, func() bool { return count() > before })
	stop()
	wg.Wait()
	found := map[string]bool{}
	for _, row := range rows(t, v, "", service) {
		found[row.Fields["event"]] = true
	}
	for name := range names {
		if !found[name] {
			lost++
		}
	}
	return len(names), lost
}

// waitLong is eventually with a longer limit, for several waits for the disk.
func waitLong(tb testing.TB, done func() bool) {
	tb.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(2 * time.Minute); !done(); <-tick.C {
		if time.Now().After(deadline) {
			tb.Fatal("it did not come about in 2 minutes")
		}
	}
}
