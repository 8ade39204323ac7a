package verify_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/verify"
)

// lines returns the events as a file has them: each other one as auditctl exports it, and the rest as
// sinks/log writes it.
func lines(events []*v1alpha1.AuditEvent) (all [][]byte) {
	for i, ae := range events {
		line := eventjson.Append(nil, ae)
		if i%2 == 0 {
			rest := bytes.TrimPrefix(line, []byte(`{"kind":"AuditEvent","apiVersion":"paddock.dev/v1alpha1",`))
			line = append([]byte(`{"level":"info","ts":"2026-04-25T12:00:00Z","logger":"audit","msg":"granted","apiVersion":"paddock.dev/v1alpha1","kind":"AuditEvent",`), rest...)
		}
		all = append(all, append(line, '\n'))
	}
	return all
}

// fileReport verifies a file.
func fileReport(t testing.TB, r *root, text []byte) *verify.Report {
	t.Helper()
	v := verify.New(r.trust(t), verify.Options{})
	if err := v.Read(t.Context(), reading.FilesWithInput("files", bytes.NewReader(text), "-")); err != nil {
		t.Fatal(err)
	}
	return v.Report()
}

// closedTrails are two closed trails that are proven whole.
func closedTrails(tb testing.TB) (*root, [][]byte) {
	tb.Helper()
	r := newRoot(tb)
	var events []*v1alpha1.AuditEvent
	for _, component := range []string{"broker", "proxy"} {
		s := newSealer(tb, r, component)
		s.write(3)
		s.checkpoint(canonical.KindTrailCheckpoint)
		s.write(2)
		s.close()
		events = append(events, s.stored...)
	}
	return r, lines(events)
}

func TestEachSpoiltLineIsFoundByItsName(t *testing.T) {
	r, all := closedTrails(t)
	for name, c := range map[string]struct {
		verdict verify.Verdict
		codes   []verify.Code
		change  func(line string) string
	}{
		"nothing":             {verify.Intact, nil, func(line string) string { return line }},
		"spaces":              {verify.Intact, nil, func(line string) string { return strings.ReplaceAll(line, `":`, `" : `) }},
		"another order":       {verify.Intact, nil, func(line string) string { return reordered(t, line) }},
		"a key twice":         {verify.Tampered, []verify.Code{verify.CodeUnreadable}, func(line string) string { return strings.Replace(line, `"spec":{`, `"spec":{"reason":"x",`, 1) }},
		"a key in other case": {verify.Tampered, []verify.Code{verify.CodeUnreadable}, func(line string) string { return strings.Replace(line, `"reason"`, `"REASON"`, 1) }},
		"an unknown key":      {verify.Tampered, []verify.Code{verify.CodeUnreadable}, func(line string) string { return strings.Replace(line, `"spec":{`, `"spec":{"x":"y",`, 1) }},
		"bytes behind it":     {verify.Tampered, []verify.Code{verify.CodeUnreadable}, func(line string) string { return strings.TrimSuffix(line, "\n") + "{}\n" }},
		"bytes before it":     {verify.Tampered, []verify.Code{verify.CodeUnreadable}, func(line string) string { return "x" + line }},
		"a broken begin":      {verify.Tampered, []verify.Code{verify.CodeUnreadable}, func(line string) string { return strings.Replace(line, `"spec":{`, `"spec":`, 1) }},
		"another kind":        {verify.Tampered, []verify.Code{verify.CodeUnreadable}, func(line string) string { return strings.Replace(line, `"AuditEvent"`, `"AuditEvents"`, 1) }},
		"a line twice":        {verify.Intact, nil, func(line string) string { return line + line }},
		"no line":             {verify.Tampered, []verify.Code{verify.CodeDeleted}, func(string) string { return "" }},
	} {
		for _, i := range []int{2, 3} { // one of each form
			changed := slices.Clone(all)
			changed[i] = []byte(c.change(string(all[i])))
			mustFindOnly(t, fileReport(t, r, bytes.Join(changed, nil)), c.verdict, c.codes...)
			if t.Failed() {
				t.Fatal(name)
			}
		}
	}
}

// reordered returns the event of a line with its keys in the order of the alphabet.
func reordered(t *testing.T, line string) string {
	var ae map[string]any
	if err := json.Unmarshal([]byte(line), &ae); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]any{"apiVersion": ae["apiVersion"], "kind": ae["kind"], "metadata": ae["metadata"], "spec": ae["spec"]})
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

func TestForeignLinesAreNoted(t *testing.T) {
	r, all := closedTrails(t)
	report := fileReport(t, r, append([]byte("a program says hello\n{\"msg\":\"hello\"}\n"), bytes.Join(all, nil)...))
	mustFindOnly(t, report, verify.Intact)
	if len(report.Findings) != 1 || report.Findings[0].Code != verify.CodeUnreadable {
		t.Errorf("%+v", report.Findings)
	}
}

// FuzzOneChange changes one stretch of an export, or one value of its JSON. Either something is found,
// or the events are the same in all that docs/canonical.md does not list as left out.
func FuzzOneChange(f *testing.F) {
	r, all := closedTrails(f)
	text := bytes.Join(all, nil)
	want := contents(text)
	if got := fileReport(f, r, text); len(got.Findings) > 0 {
		f.Fatalf("%+v", got.Findings)
	}
	for i := range 8 {
		f.Add(uint32(i*911), byte(i), "x")
		f.Add(uint32(i*517), byte(128+i), "x")
	}
	f.Add(uint32(0), byte(0), string(all[1]))
	f.Add(uint32(40), byte(0), `"spec":{"reason":"x"},`)
	f.Fuzz(func(t *testing.T, at uint32, length byte, replacement string) {
		changed := spliced(text, int(at), int(length), replacement)
		if length >= 128 {
			changed = revalued(all, int(at), int(length), replacement)
		}
		report := fileReport(t, r, changed)
		if len(report.Findings) == 0 && !maps.Equal(contents(changed), want) {
			t.Fatalf("not found:\n%s", changed)
		}
	})
}

func spliced(text []byte, at, length int, replacement string) []byte {
	at %= len(text)
	return slices.Concat(text[:at], []byte(replacement), text[min(at+length, len(text)):])
}

// revalued returns the lines with one value of one of them changed.
func revalued(all [][]byte, at, which int, value string) []byte {
	i := at % len(all)
	var object any
	_ = json.Unmarshal(all[i], &object) // it is an event
	n := which%128 + at/len(all)%7
	for n >= 0 { // which may be more than there are values
		set(object, &n, value)
		n -= 64
	}
	line, _ := json.Marshal(object) // it comes from JSON
	changed := slices.Clone(all)
	changed[i] = append(line, '\n')
	return bytes.Join(changed, nil)
}

// set sets the value that is reached when n is 0.
func set(object any, n *int, value string) {
	switch o := object.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(o)) {
			switch o[key].(type) {
			case map[string]any, []any:
				set(o[key], n, value)
			default:
				if *n--; *n == -1 {
					o[key] = value
				}
			}
		}
	case []any:
		for i := range o {
			if *n--; *n == -1 {
				o[i] = value
			}
		}
	}
}

// contents returns the distinct events of a file without what is left out.
func contents(text []byte) map[string]bool {
	all := map[string]bool{}
	for line := range bytes.Lines(text) {
		ae := &v1alpha1.AuditEvent{}
		if json.Unmarshal(line, ae) != nil || ae.Kind != "AuditEvent" {
			continue
		}
		kept := &v1alpha1.AuditEvent{Spec: ae.Spec}
		kept.Name, kept.Namespace = ae.Name, ae.Namespace
		kept.Labels, kept.Annotations = own(ae.Labels), own(ae.Annotations)
		if trail.IsCheckpoint(ae.Spec.Kind) {
			delete(kept.Spec.Detail, canonical.DetailNote)
		}
		content, _ := json.Marshal(kept) // which it came from
		all[string(content)] = true
	}
	return all
}

func own(all map[string]string) map[string]string {
	maps.DeleteFunc(all, func(key, _ string) bool {
		return !strings.HasPrefix(key, "paddock.dev/") || key == "paddock.dev/omitted"
	})
	return all
}
