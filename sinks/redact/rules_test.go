package redact_test

import (
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/names"
	"github.com/paddock-dev/audit/sinks/flood"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/redact"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/route"
)

// hashOfJane is that of jane@example.com, by openssl.
const hashOfJane = "hmac.new.a4bf899d1033c45267baa863830c3769"

// redacted returns what rules leave of ae.
func redacted(t *testing.T, ae *v1alpha1.AuditEvent, rules ...redact.Rule) *v1alpha1.AuditEvent {
	t.Helper()
	r := &sinktest.Recorder{}
	s, err := redact.New(r, redact.Options{Component: "proxy", Rules: rules, Keys: keys()})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), ae.DeepCopy()); err != nil {
		t.Fatal(err)
	}
	return &r.Events()[0]
}

func rule(action redact.Action, pattern string, fields ...string) redact.Rule {
	return redact.Rule{Action: action, Pattern: pattern, Fields: fields}
}

func TestEachActionDoesWhatItSays(t *testing.T) {
	for _, c := range []struct {
		name  string
		rules []redact.Rule
		want  string // of spec.actor.user, which is jane@example.com
	}{
		{"keep", []redact.Rule{rule(redact.Keep, "", "spec.actor.user"), rule(redact.Mask, "", "*")}, "jane@example.com"},
		{"keep of a match", []redact.Rule{rule(redact.Keep, "@example", "spec.actor.user"), rule(redact.Mask, "", "*")}, "jane@example.com"},
		{"keep without a match", []redact.Rule{rule(redact.Keep, "@other", "spec.actor.user"), rule(redact.Mask, "", "*")}, "[masked]"},
		{"drop", []redact.Rule{rule(redact.Drop, "", "spec.actor.*")}, ""},
		{"drop of a match", []redact.Rule{rule(redact.Drop, "j.ne", "spec.actor.*")}, ""},
		{"drop without a match", []redact.Rule{rule(redact.Drop, "joe", "spec.actor.*")}, "jane@example.com"},
		{"mask", []redact.Rule{rule(redact.Mask, "", "spec.*")}, "[masked]"},
		{"mask of matches", []redact.Rule{rule(redact.Mask, "e", "spec.*")}, "jan[masked]@[masked]xampl[masked].com"},
		{"hmac", []redact.Rule{rule(redact.HMAC, "", "spec.actor.user")}, hashOfJane},
		{"hmac of a match", []redact.Rule{rule(redact.HMAC, "[a-z@.]+", "spec.actor.user")}, hashOfJane},
		{"a rule after another", []redact.Rule{rule(redact.Mask, "jane", "*"), rule(redact.Mask, `\[masked\]@`, "*")}, "[masked]example.com"},
		{"another field", []redact.Rule{rule(redact.Mask, "", "spec.actor.groups")}, "jane@example.com"},
		{"another kind", []redact.Rule{{Kinds: []string{"prompt-*"}, Fields: []string{"*"}, Action: redact.Mask}}, "jane@example.com"},
		{"its kind", []redact.Rule{{Kinds: []string{"a", "egress-*c?"}, Fields: []string{"*"}, Action: redact.Mask}}, "[masked]"},
	} {
		if got := redacted(t, measured(), c.rules...).Spec.Actor.User; got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestAHashedRunAndItsLabelStayEqual(t *testing.T) {
	for _, run := range []string{"hr-1", "no label value", strings.Repeat("long", 500)} {
		ae := measured()
		ae.Spec.RunRef.Name = run
		got := redacted(t, ae, rule(redact.HMAC, "", "spec.runRef.name"))
		hashed := got.Spec.RunRef.Name
		if !strings.HasPrefix(hashed, "hmac.new.") || got.Labels[v1alpha1.LabelRun] != hashed {
			t.Errorf("%.20s: run %s, label %s", run, hashed, got.Labels[v1alpha1.LabelRun])
		}
		got = redacted(t, ae, rule(redact.Mask, "r", "spec.runRef.name"))
		if label := got.Labels[v1alpha1.LabelRun]; label != names.RunLabel(got.Spec.RunRef.Name) {
			t.Errorf("%.20s: run %s, label %s", run, got.Spec.RunRef.Name, label)
		}
	}
}

func TestALabelWithTheLongestKeyIDIsStillValid(t *testing.T) {
	ae := measured()
	ae.Labels["team"] = "payroll"
	e, err := driver.Prepare(ae, "")
	if err != nil {
		t.Fatal(err)
	}
	change, err := redact.Redactor(redact.Options{
		Rules: []redact.Rule{rule(redact.HMAC, "", "metadata.labels.*")},
		Keys:  []redact.Key{{ID: strings.Repeat("k", 24), Secret: make([]byte, 32)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	label := change(e).Label("team")
	if !names.IsLabelValue(label) || !strings.HasPrefix(label, "hmac."+strings.Repeat("k", 24)+".") || len(label) > 63 {
		t.Errorf("label %q", label)
	}
}

func TestRulesOfKeysAreForTheseKeys(t *testing.T) {
	ae := measured()
	ae.Labels["example.com/team"], ae.Labels["team"] = "payroll", "payroll"
	ae.Annotations = map[string]string{"example.com/a-token": "x", "example.com/token": "y", "token": "z"}
	ae.Spec.Detail = map[string]string{"token": "a", "old-token": "b", "tokens": "c", "ghp_123": "d"}
	got := redacted(t, ae,
		rule(redact.Drop, "", "spec.detail.*token", "metadata.labels.example.com/*"),
		rule(redact.Mask, "", "metadata.annotations.example.com/*token"),
		rule(redact.Mask, "ghp_[0-9]+", "spec.detailKeys"))
	if d := got.Spec.Detail; len(d) != 2 || d["tokens"] != "c" || d["[masked]"] != "d" {
		t.Errorf("detail %v", d)
	}
	if l := got.Labels; l["team"] != "payroll" || l["example.com/team"] != "" {
		t.Errorf("labels %v", l)
	}
	if a := got.Annotations; a["example.com/a-token"] != "[masked]" || a["example.com/token"] != "[masked]" || a["token"] != "z" {
		t.Errorf("annotations %v", a)
	}
}

func TestAPatternSeesTheTextBehindTheCut(t *testing.T) {
	const pattern = `token-[0-9]{40}`
	secret := "token-" + strings.Repeat("7", 40)
	for before := range 60 {
		ae := measured()
		// The cut comes after 1024 characters, and the mark takes some 40 of them.
		ae.Spec.Reason = strings.Repeat("x", 1024-60+before) + secret + strings.Repeat("y", 100)
		got := redacted(t, ae, rule(redact.Mask, pattern, "spec.reason")).Spec.Reason
		if strings.Contains(got, "token") || !strings.HasPrefix(got, "xxxx") {
			t.Fatalf("%d before: %s", before, got[900:])
		}
	}
}

func TestStagesInFrontLetPatternsSeeTheWholeText(t *testing.T) {
	for name, front := range map[string]func(auditing.Sink) (auditing.Sink, error){
		"retry": func(s auditing.Sink) (auditing.Sink, error) { return retry.New(s, retry.Options{}) },
		"flood": func(s auditing.Sink) (auditing.Sink, error) { return flood.New(s, flood.Options{}) },
		"multi": func(s auditing.Sink) (auditing.Sink, error) {
			return multi.New([]multi.Child{{Name: "a", Sink: s}, {Name: "b", Sink: auditing.NoopSink{}}}, multi.Options{})
		},
		"route": func(s auditing.Sink) (auditing.Sink, error) {
			return route.New([]route.Route{{Sink: s}}, route.Options{})
		},
	} {
		r := &sinktest.Recorder{}
		s, err := redact.New(r, redact.Options{Rules: []redact.Rule{rule(redact.Mask, "token[0-9]+", "*")}})
		must(t, err)
		chain, err := front(s)
		must(t, err)
		ae := measured()
		ae.Spec.Reason = strings.Repeat("x", 984) + "token" + strings.Repeat("7", 100)
		must(t, chain.Write(t.Context(), ae))
		if got := r.Events()[0].Spec.Reason; got != strings.Repeat("x", 984)+"[masked]" {
			t.Errorf("%s: %s", name, got)
		}
		must(t, auditing.Close(t.Context(), chain))
	}
}

// An event that comes from a spool has been cut before.
func TestATextThatWasCutBeforeIsReplacedAsAWhole(t *testing.T) {
	ae := measured()
	ae.Spec.Reason = strings.Repeat("x", 2000)
	was, err := driver.Prepare(ae, "")
	if err != nil {
		t.Fatal(err)
	}
	e, err := driver.Decode(was.JSON())
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[redact.Action]string{redact.Mask: "[masked]", redact.Drop: "", redact.HMAC: "hmac.", redact.Keep: "[masked]"} {
		change, err := redact.Redactor(redact.Options{
			Rules: []redact.Rule{rule(action, "token", "spec.reason"), rule(redact.Mask, "token", "spec.reason")}, Keys: keys(),
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := change(e).Spec().Reason; !strings.HasPrefix(got, want) || strings.Contains(got, "x") {
			t.Errorf("%s: %.60s", action, got)
		}
	}
}

func TestASecondRedactionHashesTheHashes(t *testing.T) {
	once := redacted(t, measured(), rule(redact.HMAC, "", "spec.actor.user"))
	twice := redacted(t, once, rule(redact.HMAC, "", "spec.actor.user"))
	hashes, err := redact.Hashes(keys(), once.Spec.Actor.User, noon)
	if err != nil || twice.Spec.Actor.User != hashes[0].Text || twice.Spec.Actor.User == once.Spec.Actor.User {
		t.Errorf("%s, want %v, %v", twice.Spec.Actor.User, hashes, err)
	}
}
