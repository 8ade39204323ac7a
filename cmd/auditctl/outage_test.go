package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

// killsEnv is how often TestLogsFollowPrintsEachEventOnce kills each server, instead of once.
const killsEnv = "AUDIT_READ_KILLS"

// auditctl logs -f reads an API server, VictoriaLogs and a log, while both servers are killed
// and restarted, and the log is renamed. Some events are in all places, and others in one.
func TestLogsFollowPrintsEachEventOnce(t *testing.T) {
	kills := 1
	if text := os.Getenv(killsEnv); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil || kills < 1 {
			t.Fatalf("%s=%s: want a number of 1 or more", killsEnv, text)
		}
	}
	server, vl := testenv.SharedKube(t), testenv.SharedVictoriaLogs(t)
	c, kubeconfig := clientOf(t, server)
	ns, path := server.Namespace(t), filepath.Join(t.TempDir(), logFile)
	f := startFollowing(t, "--kubeconfig", kubeconfig, "--victorialogs", vl.URL, "-n", ns, "--overlap", "1h", path)
	w := startWriting(t, f, ns, map[string]auditing.Sink{
		"kube": kube.Sink{Client: c, Component: "proxy"},
		"vl":   victoriaLogs(t, vl),
	}, path)

	took := stopwatch(t)
	f.arrive(t, 10)
	took("the first events are printed")
	for i := range kills {
		cluster, lake := f.failures(placeCluster), f.failures(placeVictoriaLogs)
		for _, kill := range []func() error{server.KillAPIServer, vl.Kill} {
			if err := kill(); err != nil {
				t.Fatal(err)
			}
		}
		w.rename(t, fmt.Sprint(path, ".", i+1))
		before := w.count()
		f.until(t, "writes while both servers are away", func() bool {
			return w.count() >= before+40 && f.failures(placeCluster) > cluster && f.failures(placeVictoriaLogs) > lake
		})
		restarts := []func(context.Context) error{vl.Restart, server.RestartAPIServer}
		for j := range restarts {
			if err := restarts[(i+j)%2](t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		took("kill %d", i+1)
		f.arrive(t, 10)
		f.until(t, "most events of the outage", func() bool { return f.count() > w.count()-maxAhead/2 }) // or w waits, and writes nothing in the next one
		took("events after kill %d are printed", i+1)
	}
	w.stop(t)
	f.until(t, "all events", func() bool { return f.count() == w.count() })
	for range len(routes) { // an event that came again would come before these
		w.write(context.WithoutCancel(t.Context()))
	}
	f.until(t, "the last events", func() bool { return f.count() == w.count() })
	f.stop(t)
	took("%d events are printed, after %d kills of each server", w.count(), kills)
	f.onceEach(t, w.written)
}
