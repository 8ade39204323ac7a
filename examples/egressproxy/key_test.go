package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/verify"
)

// The example with Docker Compose, without Docker: its key, its configuration, and what its README verifies.
func TestTheComposeExampleLeavesATrailThatIsIntact(t *testing.T) {
	dir, l := t.TempDir(), testenv.NewLoki(t, testenv.LokiOptions{})
	var keys [2]string
	for i := range keys { // each start makes the key, unless it is there
		if err := makeKey(t.Context(), options{key: dir}); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, keyFile))
		if err != nil {
			t.Fatal(err)
		}
		keys[i] = string(text)
	}
	if keys[0] != keys[1] {
		t.Error("the second start made another key")
	}
	text, err := os.ReadFile("../compose/audit.yaml")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "audit.yaml")
	if err := os.WriteFile(config, []byte(strings.NewReplacer("http://loki:3100", l.URL, "/keys", dir).Replace(string(text))), 0o600); err != nil {
		t.Fatal(err)
	}
	sink, closeSink, err := openSink(t.Context(), options{allow: "example.com", config: config}, prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		denial := auditing.NewEgressBlock(auditing.EgressInput{RunName: "compose", Namespace: "team-a", Host: "169.254.169.254", Port: 80, Reason: "not on the list"})
		if err := sink.Write(t.Context(), denial); err != nil {
			t.Fatal(err)
		}
	}
	if err := closeSink(t.Context()); err != nil {
		t.Fatal(err)
	}

	trust, err := verify.LoadTrust(filepath.Join(dir, trustFile))
	if err != nil {
		t.Fatal(err)
	}
	source, err := lokisource.New("loki", l.URL, lokisource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	v := verify.New(trust, verify.Options{})
	if err := v.Read(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	r := v.Report()
	if r.Verdict != verify.Intact || len(r.Trails) != 1 || !r.Trails[0].Closed || r.Trails[0].Intact < 5 || r.Trails[0].Cluster != composeCluster {
		t.Errorf("verdict %s, trails %+v, findings %+v", r.Verdict, r.Trails, r.Findings)
	}
}
