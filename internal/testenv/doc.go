// Package testenv starts the servers that tests and demos talk to: etcd with a Kubernetes API server, and a Loki.
//
// The API server is real. It is built from the pinned modules under tools/, or taken from the folder
// KUBEBUILDER_ASSETS when that is set. Loki is the stand-in of package lokitest, for the project neither builds nor
// downloads Loki; LOKI_BIN (a file) or LOKI_URL (a running server) names a real one instead, see docs/loki-facts.md.
//
// A test asks for the API server that its test binary shares, or for a Loki of its own:
//
//	func TestMain(m *testing.M) { os.Exit(testenv.Run(m)) }
//
//	func TestWriteStoresTheEvent(t *testing.T) {
//		k := testenv.SharedKube(t)
//		namespace := k.Namespace(t)
//		...
//		l := testenv.NewLoki(t, testenv.LokiOptions{})
//	}
//
// Every server listens on 127.0.0.1 alone and keeps its files in one temporary folder. A server never outlives
// the process that started it, however that process ends: a watchdog process waits for that end, kills the
// servers and removes the folder. It needs a Unix system and its sh.
package testenv
