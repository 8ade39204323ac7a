// Package testenv starts the servers that tests and demos talk to: etcd with a Kubernetes API server, VictoriaLogs, an
// OpenTelemetry Collector, and a Loki. Kubectl and Promtool are built likewise.
//
// The API server with etcd, VictoriaLogs and the collector are real. They are built from the pinned modules under tools/,
// or taken from KUBEBUILDER_ASSETS (a folder), VICTORIALOGS_BIN and OTELCOL_BIN (files) when those are set. The Loki is the
// stand-in of package lokitest, because the project neither builds nor downloads Loki. LOKI_BIN (a file) or LOKI_URL (a
// running server) names a real Loki to use instead: see docs/loki-facts.md.
//
// A test uses servers that the tests of its test binary share, or servers of its own:
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }
//
//	func TestWriteStoresTheEvent(t *testing.T) {
//		k := testenv.SharedKube(t)
//		namespace := k.Namespace(t)
//		...
//		v := testenv.NewVictoriaLogs(t, testenv.VictoriaLogsOptions{})
//		c := testenv.NewOTelCol(t, config)
//		l := testenv.NewLoki(t, testenv.LokiOptions{})
//	}
//
// Every server listens on 127.0.0.1 alone and keeps its files in one temporary folder. A server never outlives
// the process that started it, however that process ends: a watchdog process waits for that end, kills the
// servers and removes the folder. It needs a Unix system and its sh.
package testenv
