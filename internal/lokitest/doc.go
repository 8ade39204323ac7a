// Package lokitest is a stand-in for Grafana Loki, for tests. It is no Loki and holds no code of Loki's: it answers by
// facts that were recorded from Loki 3.7.8, each of which is one case of the table in package lokifacts. The same table
// runs against any real Loki with make test-loki, and so shows where the stand-in is wrong. docs/loki-facts.md says
// what it cannot show.
//
// In process it is an http.Handler:
//
//	standin, err := lokitest.New(lokitest.ProfileProduction.Options())
//	server := httptest.NewServer(standin)
//
// As a server of its own, which keeps on disk what it has confirmed and may be killed and started again, it is the
// command in lokistandin. Tests get that one from testenv.NewLoki.
//
// A push goes through push.go, which decodes it (decode.go), through validate.go, which judges entries before any
// stream is looked at, and into a stream (ingest.go), which judges them by its newest entry and its rate and recognises
// repeats. What is stored goes into the journal first. query.go, metrics.go and labels.go read it back.
package lokitest
