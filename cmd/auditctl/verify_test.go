package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/reading"
	logsink "github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/verify"
)

// sealedTrail is a log file that the stage seal wrote, and what an auditor trusts.
type sealedTrail struct {
	dir, log, trust string
	names           []string // of the decisions
}

func newSealedTrail(t *testing.T, decisions int) *sealedTrail {
	t.Helper()
	dir := t.TempDir()
	s := &sealedTrail{dir: dir, log: filepath.Join(dir, "audit.log")}
	file, err := logsink.NewFile(s.log, logsink.FileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	s.seal(t, file, "proxy", "team-a", decisions)
	return s
}

// seal writes some decisions of a component to next, sealed, and closes the trail. It also writes the
// file trust.yaml, by which the trail is verified.
func (s *sealedTrail) seal(t *testing.T, next auditing.Sink, component, namespace string, decisions int) {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "prod-root")
	if err != nil {
		t.Fatal(err)
	}
	s.trust = filepath.Join(s.dir, "trust.yaml")
	others := "" // that other tests write to the same servers
	if component != "proxy" {
		others = "- {name: proxy}\n- {name: broker}\n- {name: controller}\n"
	}
	s.put(t, s.trust, fmt.Sprintf("keys:\n- {name: root, key: %q, components: [%s]}\ncomponents:\n- {name: %s, sealedSince: 2026-01-01T00:00:00Z}\n%s", public, component, component, others))
	authority, err := seal.LongTermKey(private)
	if err != nil {
		t.Fatal(err)
	}
	sink, err := seal.New(next, seal.Options{Component: component, Cluster: "prod", Namespace: namespace, Authority: authority, Leaves: 4})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for i := range decisions {
		ae := auditing.NewEgressBlock(auditing.EgressInput{RunName: "hr-1", Namespace: namespace, Host: fmt.Sprintf("host-%d.example.com", i), Port: 443, Reason: "no policy \u202eallows it"})
		if err := sink.Write(ctx, ae); err != nil {
			t.Fatal(err)
		}
		s.names = append(s.names, ae.Name)
	}
	if err := sink.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

func (s *sealedTrail) put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// change writes the log with its lines changed under another name.
func (s *sealedTrail) change(t *testing.T, change func(lines []string) []string) string {
	t.Helper()
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	lines := change(slices.Collect(strings.Lines(string(text))))
	path := filepath.Join(s.dir, "changed.ndjson")
	s.put(t, path, strings.Join(lines, ""))
	return path
}

// at returns the number of the line of a decision.
func (s *sealedTrail) at(lines []string, decision int) int {
	return slices.IndexFunc(lines, func(line string) bool { return strings.Contains(line, s.names[decision]) })
}

func TestVerifyTellsWhatWasDoneToASealedLog(t *testing.T) {
	s := newSealedTrail(t, 12)
	for name, c := range map[string]struct {
		code   int
		want   string
		change func(lines []string) []string
	}{
		"nothing": {0, "verdict: intact\n", func(lines []string) []string { return lines }},
		"an edit": {1, "tampered: edited: ", func(lines []string) []string {
			i := s.at(lines, 5)
			lines[i] = strings.Replace(lines[i], "host-5", "host-9", 1)
			return lines
		}},
		"a deletion": {1, "tampered: deleted: ", func(lines []string) []string { i := s.at(lines, 3); return slices.Delete(lines, i, i+1) }},
		"an insertion": {1, "tampered: unsealed: ", func(lines []string) []string {
			ae := auditing.NewEgressAllow(auditing.EgressInput{RunName: "hr-1", Namespace: "team-a", Host: "evil.example.com", Port: 443})
			ae.Name, ae.Labels = "ae-1", map[string]string{v1alpha1.LabelComponent: "proxy"}
			ae.Kind, ae.APIVersion = "AuditEvent", eventVersion
			text, err := json.Marshal(ae)
			if err != nil {
				t.Fatal(err)
			}
			return append(lines, string(text)+"\n")
		}},
		"nothing left": {2, "verdict: undetermined\n", func([]string) []string { return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := auditctl(t, "verify", "--trust", s.trust, s.change(t, c.change))
			if code != c.code || !strings.Contains(out, c.want) || errOut != "" {
				t.Errorf("%d, want %d with %q\n%s%s", code, c.code, c.want, out, errOut)
			}
		})
	}
}

// A process that is killed leaves the begin of its log, up to any byte.
func TestAKilledProcessIsNoTampering(t *testing.T) {
	s := newSealedTrail(t, 30)
	text, err := os.ReadFile(s.log)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := verify.LoadTrust(s.trust)
	if err != nil {
		t.Fatal(err)
	}
	for to := 0; to < len(text); to += 97 {
		v := verify.New(trust, verify.Options{})
		if err := v.Read(t.Context(), reading.FilesWithInput("files", bytes.NewReader(text[:to]), "-")); err != nil {
			t.Fatal(err)
		}
		if r := v.Report(); r.Verdict == verify.Tampered || r.Verdict == verify.Intact && len(r.Trails) == 0 {
			t.Fatalf("killed at byte %d: %+v", to, r.Findings)
		}
	}
}

func TestVerifyPrintsNothingATerminalActsOn(t *testing.T) {
	s := newSealedTrail(t, 3)
	inTrail(t)
	for _, form := range []string{"text", "json"} {
		edited := s.change(t, func(lines []string) []string {
			i := s.at(lines, 1)
			lines[i] = strings.Replace(lines[i], `"namespace":"team-a"`, `"namespace":"\u001b[2J\u202e"`, 1)
			return lines
		})
		code, out, errOut := auditctl(t, "verify", "--trust", s.trust, "-o", form, edited, "hostile.log")
		if code != 1 || !strings.Contains(out, `[2J`) {
			t.Errorf("%d %s%s", code, out, errOut)
		}
		for _, r := range out + errOut {
			if r != '\n' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' {
				t.Errorf("-o %s prints %U", form, r)
			}
		}
	}
}

func TestVerifyNamesThePlaceOfAFile(t *testing.T) {
	s := newSealedTrail(t, 6)
	edited := s.change(t, func(lines []string) []string {
		i := s.at(lines, 2)
		lines[i] = strings.Replace(lines[i], "host-2", "host-9", 1)
		return lines
	})
	code, out, errOut := auditctl(t, "verify", "--trust", s.trust, "-o", "json", "cluster="+s.log, "lake="+edited)
	var r verify.Report
	if err := json.Unmarshal([]byte(out), &r); err != nil {
		t.Fatalf("%v: %s%s", err, out, errOut)
	}
	if code != 1 || len(r.Findings) != 1 || r.Findings[0].Place != "lake" || r.Findings[0].Code != verify.CodeEdited {
		t.Errorf("%d %s%s", code, out, errOut)
	}
}

func TestVerifyPrintsListsAsListsInJSON(t *testing.T) {
	s := newSealedTrail(t, 1)
	empty := s.change(t, func([]string) []string { return nil })
	for path, want := range map[string]string{s.log: `"findings": []`, empty: `"trails": []`} {
		if _, out, errOut := auditctl(t, "verify", "--trust", s.trust, "-o", "json", path); !strings.Contains(out, want) {
			t.Errorf("no %s in %s%s", want, out, errOut)
		}
	}
}

func TestVerifyExitsWithThreeWhenMisused(t *testing.T) {
	s := newSealedTrail(t, 1)
	bad := filepath.Join(s.dir, "bad.yaml")
	s.put(t, bad, "keys: []\nroots: []\n")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"--trust is missing", []string{s.log}},
		{"field roots not found", []string{"--trust", bad, s.log}},
		{"no source", []string{"--trust", s.trust}},
		{"unknown flag", []string{"--trusted", s.trust, s.log}},
		{"named twice", []string{"--trust", s.trust, "a=" + s.log, "a=" + s.log}},
		{"no such file", []string{"--trust", s.trust, "--proof", filepath.Join(s.dir, "none")}},
		{"the proof: ", []string{"--trust", s.trust, "--proof", s.log}},
		{"name no files", []string{"--trust", s.trust, "--proof", s.log, s.log}},
	} {
		if code, out, errOut := auditctl(t, append([]string{"verify"}, c.args...)...); code != 3 || out != "" || !strings.Contains(errOut, c.want) {
			t.Errorf("%v: %d %s%s", c.args, code, out, errOut)
		}
	}
}

func TestProofIsCheckedWithoutTheTrail(t *testing.T) {
	s := newSealedTrail(t, 12)
	other := newSealedTrail(t, 1)
	path := filepath.Join(s.dir, "proof.json")
	for i, name := range s.names {
		code, proof, errOut := auditctl(t, "prove", name, "--trust", s.trust, s.log)
		if code != 0 || errOut != "" {
			t.Fatalf("%d %s", code, errOut)
		}
		for _, c := range []struct {
			code             int
			want, from, into string
			trust            string
		}{
			{0, "verdict: intact\n", "", "", s.trust},
			{1, "tampered: edited", fmt.Sprintf("host-%d.", i), "host-x.", s.trust},
			{2, "undetermined: nobody-vouches", "", "", other.trust},
		} {
			s.put(t, path, strings.Replace(proof, c.from, c.into, 1))
			if code, out, errOut := auditctl(t, "verify", "--trust", c.trust, "--proof", path); code != c.code || !strings.Contains(out, c.want) {
				t.Errorf("%s: %d, want %d with %q\n%s%s", name, code, c.code, c.want, out, errOut)
			}
		}
	}
	if code, _, errOut := auditctl(t, "prove", "ae-none", "--trust", s.trust, s.log); code != 1 || !strings.Contains(errOut, "no event with a seal") {
		t.Errorf("%d %s", code, errOut)
	}
}
