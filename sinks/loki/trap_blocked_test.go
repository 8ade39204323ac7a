package loki_test

import (
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/lokitest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

// blocked is a Loki whose operator has stopped ingestion.
func blocked(t *testing.T, p lokitest.Profile) *testenv.Loki {
	return testenv.NewLoki(t, testenv.ProfileOptions(p))
}

func TestTrap260IsAFailure(t *testing.T) {
	t.Parallel()
	l := blocked(t, lokitest.ProfileBlocked)
	for name, opts := range map[string]loki.Options{"with the proof": {}, "without": {ProveEvery: -1}} {
		sink := open(t, l.URL, opts)
		ae := event(namespace(), "blocked")
		failed := mustFail(t, sink.Write(shortly(t), ae), auditing.ClassTransient)
		contains(t, failed.Error(), "260", "ingestion blocked")
		if n := len(stored(t, l, "", ae.Namespace)); n != 0 {
			t.Errorf("%s: %d entries stored, want none", name, n)
		}
		if err := sink.Check(shortly(t)); err == nil {
			t.Errorf("%s: Check passes", name)
		}
	}
}

func TestTrap204OfABlockedLokiIsAFailure(t *testing.T) {
	t.Parallel()
	l := blocked(t, lokitest.ProfileBlockedUnseen)
	sink := open(t, l.URL, loki.Options{})
	ae := event(namespace(), "dropped")
	failed := mustFail(t, sink.Write(shortly(t), ae), auditing.ClassTransient)
	contains(t, failed.Error(), "204", "block_ingestion_status_code")
	if err := sink.Check(shortly(t)); err == nil {
		t.Error("Check passes")
	}

	// Without the proof, the sink believes this Loki, which answers 204 and stores nothing.
	credulous := open(t, l.URL, loki.Options{ProveEvery: -1})
	if err := credulous.Write(shortly(t), event(ae.Namespace, "believed")); err != nil {
		t.Fatal(err)
	}
	if n := len(stored(t, l, "", ae.Namespace)); n != 0 {
		t.Errorf("%d entries stored, want none", n)
	}
}

func TestTrapIdenticalTimestampsAreDifferentEvents(t *testing.T) {
	t.Parallel()
	l := production.get(t)
	sink := open(t, l.URL, loki.Options{})
	ns, at := namespace(), time.Now()
	var events []*v1alpha1.AuditEvent
	for range 200 {
		events = append(events, eventAt(ns, "the same", at))
	}
	mustWriteAll(t, sink, events...)
	mustWriteAll(t, sink, events...)
	sameEvents(t, stored(t, l, "", ns), events)
}

func TestTrapLabelValuesOfAnyText(t *testing.T) {
	t.Parallel()
	l := production.get(t)
	sink := open(t, l.URL, loki.Options{
		ServiceName: `a "quoted" \service`,
		Labels: map[string]string{
			"newline": "one\ntwo\r\tthree", "broken": "a\xff\xfeb", "braces": `}, x="y"`, "empty": "", "wide": "räksmörgås 😀 \u2028",
		},
	})
	ae := event(namespace(), "odd labels")
	ae.Spec.RunRef.Name = "run \"x\"\n\\ \xff \uFFFD ü"
	mustWriteAll(t, sink, ae)
	mustWriteAll(t, sink, ae)
	entries := stored(t, l, "", ae.Namespace)
	sameEvents(t, entries, []*v1alpha1.AuditEvent{ae})
	for name, want := range map[string]string{
		"service_name": `a "quoted" \service`, "newline": "one\ntwo\r\tthree", "broken": "a?b",
		"braces": `}, x="y"`, "empty": "", "wide": "räksmörgås 😀 \u2028",
	} {
		if got := entries[0].Labels[name]; got != want {
			t.Errorf("label %s is %q, want %q", name, got, want)
		}
	}
	if got, want := entries[0].Metadata["run"], "run \"x\"\n\\ ? ? ü"; got != want {
		t.Errorf("metadata run is %q, want %q", got, want)
	}
}
