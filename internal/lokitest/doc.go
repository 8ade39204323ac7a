// Package lokitest is a stand-in for Grafana Loki in tests. It is not a Loki and contains no code of Loki. Its answers
// follow facts that were recorded from Loki 3.7.8. Package lokifacts has a table of these facts. make test-loki checks
// the same table with a real Loki, which shows where the stand-in is wrong. docs/loki-facts.md says what tests with the
// stand-in cannot show.
//
// In process it is an http.Handler:
//
//	standin, err := lokitest.New(lokitest.ProfileProduction.Options())
//	server := httptest.NewServer(standin)
//
// The command in lokistandin runs it as a server of its own. That server stores on disk what it has confirmed, so a test
// may kill it and start it again. Tests get it from testenv.NewLoki.
//
// A push is answered in push.go. It is decoded in decode.go. validate.go refuses entries for reasons that do not depend
// on their stream. stream.go refuses entries for the newest entry or the rate of their stream, and recognises repeats.
// store.go writes accepted entries to the journal before it stores them. query.go, metrics.go and labels.go read them
// back.
package lokitest
