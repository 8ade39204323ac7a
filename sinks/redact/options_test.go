package redact_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/redact"
)

func TestWhatIsWrongIsRefusedWithItsPlace(t *testing.T) {
	valid := func() redact.Options {
		return redact.Options{Rules: []redact.Rule{rule(redact.HMAC, "", "spec.reason")}, Keys: keys()}
	}
	field := func(path string) func(*redact.Options) {
		return func(o *redact.Options) { o.Rules = append(o.Rules, rule(redact.Mask, "", path)) }
	}
	for _, c := range []struct {
		spoil func(*redact.Options)
		want  []string // in the error
	}{
		{func(o *redact.Options) { o.Rules = nil }, []string{"Rules", "there is none"}},
		{func(o *redact.Options) { o.Keys = nil }, []string{"Keys", "rules[0] says hmac"}},
		{field("spec.reson"), []string{"Options.Rules[1].fields[0]", "did you mean spec.reason?"}},
		{field("reason"), []string{"did you mean spec.reason?"}},
		{field("spec.actor"), []string{"did you mean spec.actor.user?"}},
		{field("spec.detail"), []string{"did you mean spec.detail.*?"}},
		{field("nothing like it at all"), []string{"there are spec.reason, "}},
		{field(""), []string{"is no field"}},
		{field("*.name"), []string{"asterisk where none can be"}},
		{field("spec.a*"), []string{"asterisk where none can be"}},
		{field("status.*"), []string{"is no field"}},
		{field("spec.decision"), []string{"Rules[1].fields[0]", "cannot be redacted", "what the trail is for"}},
		{field("spec.kind"), []string{"cannot be redacted"}},
		{field("spec.timestamp"), []string{"cannot be redacted"}},
		{field("spec.windowStart"), []string{"cannot be redacted"}},
		{field("spec.count"), []string{"cannot be redacted"}},
		{field("spec.destination.port"), []string{"cannot be redacted"}},
		{field("metadata.name"), []string{"cannot be redacted"}},
		{field("metadata.namespace"), []string{"cannot be redacted"}},
		{field("metadata.labels.paddock.dev/component"), []string{"cannot be redacted"}},
		{field("metadata.labels.paddock.dev/run"), []string{"name that"}},
		{func(o *redact.Options) { o.Rules[0].Fields = nil }, []string{"Rules[0].fields", "is empty"}},
		{func(o *redact.Options) { o.Rules[0].Kinds = []string{"Egress"} }, []string{"Rules[0].kinds[0]"}},
		{func(o *redact.Options) { o.Rules[0].Pattern = "(" }, []string{"Rules[0].pattern", "missing closing )"}},
		{func(o *redact.Options) { o.Rules[0].Pattern = ".*" }, []string{"matches the empty text"}},
		{func(o *redact.Options) { o.Rules[0].Action = "hide" }, []string{"Rules[0].action", "keep, drop, mask or hmac"}},
		{func(o *redact.Options) { o.Keys[1].Secret = o.Keys[1].Secret[:31] }, []string{"Keys[1].secret", "31 bytes", "at least 32"}},
		{func(o *redact.Options) { o.Keys[1].ID = "old" }, []string{"Keys[1].id", "keys[0]"}},
		{func(o *redact.Options) { o.Keys[1].From = time.Time{} }, []string{"Keys[1].from", "same time"}},
		{func(o *redact.Options) { o.Keys[0].ID = "-" }, []string{"Keys[0].id"}},
		{func(o *redact.Options) { o.Keys[0].ID = strings.Repeat("k", 25) }, []string{"Keys[0].id", "at most 24"}},
		{func(o *redact.Options) { o.Component = "not a value" }, []string{"component"}},
	} {
		o := valid()
		c.spoil(&o)
		s, err := redact.New(&sinktest.Recorder{}, o)
		if err == nil {
			t.Errorf("made %v, want an error with %q", s, c.want)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("error %v does not say %q", err, want)
			}
		}
		if strings.Contains(err.Error(), "nnnn") {
			t.Errorf("error %v quotes a key", err)
		}
	}
	if _, err := redact.New(nil, valid()); err == nil {
		t.Error("no error for no sink")
	}
}

func TestEveryMistakeIsNamedAtOnce(t *testing.T) {
	err := redact.Options{
		Rules: []redact.Rule{{Fields: []string{"spec.kind", "spec.reson"}, Pattern: "(", Action: "x"}, {}},
		Keys:  []redact.Key{{}, {}},
	}.Validate()
	for _, want := range []string{"Rules[0].fields[0]", "Rules[0].fields[1]", "Rules[0].pattern", "Rules[0].action", "Rules[1]", "Keys[0]", "Keys[1]"} {
		if !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
}

func TestEveryFieldCanBeNamed(t *testing.T) {
	for _, path := range redact.FieldPaths() {
		if err := (redact.Options{Rules: []redact.Rule{rule(redact.Drop, "", path)}}).Validate(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAKeyNeverPrints(t *testing.T) {
	o := redact.Options{Keys: keys()}
	encoded, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := redact.New(&sinktest.Recorder{}, redact.Options{Rules: []redact.Rule{rule(redact.HMAC, "", "*")}, Keys: keys()})
	if err != nil {
		t.Fatal(err)
	}
	all := string(encoded) + fmt.Sprintf("%v %+v %#v %s %x %q %+v %v %#v %s", o, o, o, o.Keys[0].Secret, o.Keys[0].Secret, o.Keys[0].Secret, o.Keys, s, s, auditing.Chain(s))
	for _, secret := range []string{"nnnn", "oooo", "6e6e", "6f6f", "110 110", "111 111", "b29v"} {
		if strings.Contains(all, secret) {
			t.Errorf("a key prints: %s", all)
		}
	}
	if got := s.String(); got != "redact(recorder)" {
		t.Errorf("the chain prints as %s", got)
	}
}

func TestNewKeepsNothingOfItsOptions(t *testing.T) {
	o := redact.Options{Rules: []redact.Rule{rule(redact.HMAC, "", "spec.actor.user")}, Keys: keys()}
	r := &sinktest.Recorder{}
	s, err := redact.New(r, o)
	if err != nil {
		t.Fatal(err)
	}
	o.Rules[0].Fields[0], o.Rules[0].Action = "spec.reason", redact.Drop
	copy(o.Keys[1].Secret, bytes.Repeat([]byte("x"), 32))
	if err := s.Write(t.Context(), measured()); err != nil {
		t.Fatal(err)
	}
	if got := r.Events()[0].Spec.Actor.User; got != hashOfJane {
		t.Errorf("user %s", got)
	}
}
