package redact_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
	auditlog "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/multi"
	"github.com/paddock-dev/audit/sinks/redact"
	"github.com/paddock-dev/audit/sinks/retry"
)

// FuzzNoSecretIsStored plants a secret in every text, between what the fuzzer finds and
// at places where the bounds of the schema cut texts.
func FuzzNoSecretIsStored(f *testing.F) {
	f.Add("", "", uint16(0), "mask", false)
	f.Add("Bearer ", "\n", uint16(1000), "hmac", true)
	f.Add("…[12 bytes, sha256 ", "]", uint16(1020), "mask", false)
	f.Add("\xff\xfe\"\\", "\u202e", uint16(4090), "both", true)
	f.Add("é", "#2", uint16(250), "drop", false)
	for pad := range uint16(8) { // so that the cuts at 1024 and 256 characters go through the secret
		f.Add("", strings.Repeat("y", 300), 984+pad, "mask", false)
		f.Add("", strings.Repeat("y", 300), 215+pad, "both", false)
	}
	f.Fuzz(func(t *testing.T, before, behind string, pad uint16, name string, badLabel bool) {
		rules, ok := private[name]
		if !ok || strings.Contains(before+behind, secret[:3]) || len(before)+len(behind) > 5000 {
			return // the secret could not be told from the text around it
		}
		n := 0
		ae, facts := planted("team-a", func() string {
			n++
			return before + strings.Repeat("x", int(pad%8192)) + secret + "0123456789" + string(rune('a'+n%26)) + behind
		})
		if badLabel {
			ae.Labels["example.com/value"] = before + secret
		}
		var lines bytes.Buffer
		log, err := auditlog.NewWriter(&lines, auditlog.Options{})
		must(t, err)
		refusing, err := retry.New(driver.New(loud{}), retry.Options{})
		must(t, err)
		both, err := multi.New([]multi.Child{{Name: "log", Sink: log}, {Name: "loud", Sink: refusing}}, multi.Options{})
		must(t, err)
		calm, err := flood.New(both, flood.Options{})
		must(t, err)
		s, err := redact.New(calm, redact.Options{Rules: rules, Keys: keys()})
		must(t, err)
		defer func() { must(t, s.Close(t.Context())) }()
		err = s.Write(auditing.With(t.Context(), facts), ae)
		if err == nil {
			t.Fatal("the loud destination took an event")
		}
		var failed *auditing.WriteError
		if stored := lines.Len() > 0; errors.As(err, &failed) && stored == (failed.Class == auditing.ClassInvalid) {
			t.Errorf("class %s, and stored is %v: %v", failed.Class, stored, err)
		}
		// Its beginning is enough: a cut leaves the rest out. The name is random.
		for place, text := range map[string]string{"log": lines.String(), "error": err.Error()} {
			text = strings.ReplaceAll(text, ae.Name, "")
			if i := strings.Index(text, secret[:3]); i >= 0 {
				t.Errorf("%s: …%q…", place, text[max(0, i-150):min(len(text), i+50)])
			}
		}
	})
}
