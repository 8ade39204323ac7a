package reading_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/internal/eventjson"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/log"
)

// logged returns the lines that sinks/log writes of events.
func logged(t testing.TB, all ...*v1alpha1.AuditEvent) []byte {
	t.Helper()
	var lines bytes.Buffer
	sink, err := log.NewWriter(&lines, log.Options{Component: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	for _, ae := range all {
		if err := sink.Write(t.Context(), ae.DeepCopy()); err != nil {
			t.Fatal(err)
		}
	}
	return lines.Bytes()
}

// exported returns events as this project exports them, one a line.
func exported(all ...*v1alpha1.AuditEvent) (lines []byte) {
	for _, ae := range all {
		lines = append(eventjson.Append(lines, ae), '\n')
	}
	return lines
}

func write(t testing.TB, path string, pieces ...[]byte) {
	t.Helper()
	if err := os.WriteFile(path, bytes.Join(pieces, nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t testing.TB, text []byte) []byte {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return z.EncodeAll(text, nil)
}

// outcome is all that a source yields.
type outcome struct {
	records []*reading.Record
	foreign []*reading.Foreign
	err     error // the last
}

func (o *outcome) names() (names []string) {
	for _, r := range o.records {
		names = append(names, r.Event.Name)
	}
	return names
}

// read reads a source to its end, and holds it to the contract of Source.
func read(t testing.TB, s reading.Source, q *reading.Query) (o outcome) {
	t.Helper()
	last := reading.Key{}
	for r, err := range s.Read(t.Context(), q) {
		var foreign *reading.Foreign
		switch {
		case o.err != nil:
			t.Errorf("%v and %v come after the error %v", r, err, o.err)
		case errors.As(err, &foreign):
			o.foreign = append(o.foreign, foreign)
		case err != nil:
			o.err = err
		default:
			if r.Key().Compare(last) < 0 {
				t.Errorf("%s comes after %s", r.Event.Name, last.Name)
			}
			last = r.Key()
			o.records = append(o.records, r)
		}
	}
	return o
}

func namesOf(all []*v1alpha1.AuditEvent) (names []string) {
	for _, ae := range all {
		names = append(names, ae.Name)
	}
	return names
}

// want holds what was read against the events that are wanted, and nothing else.
func (o *outcome) want(t testing.TB, all []*v1alpha1.AuditEvent) {
	t.Helper()
	if o.err != nil || len(o.foreign) > 0 {
		t.Errorf("foreign lines %v, error %v", o.foreign, o.err)
	}
	o.wantEvents(t, all)
}

func (o *outcome) wantEvents(t testing.TB, all []*v1alpha1.AuditEvent) {
	t.Helper()
	if !slices.Equal(o.names(), namesOf(all)) {
		t.Fatalf("%d events, want %d: %.300v", len(o.records), len(all), o.names())
	}
	for i, r := range o.records {
		if got, want := exported(r.Event), exported(all[i]); !bytes.Equal(got, want) {
			t.Fatalf("event %d is\n%s\nwant\n%s", i, got, want)
		}
	}
}

func TestFilesReadsEventsInAnyForm(t *testing.T) {
	all := events(t, 40)
	all[30].SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AuditEvent"))
	spaced, err := json.MarshalIndent(all[30], "", "")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "audit.log")
	write(t, path,
		logged(t, all[20:30]...), // not in order
		exported(all[:10]...), []byte("\r\n \n\n"),
		bytes.ReplaceAll(logged(t, all[10:20]...), []byte("\n"), []byte("\r\n")),
		bytes.ReplaceAll(spaced, []byte("\n"), []byte(" ")), []byte("\n"),
		bytes.TrimSuffix(exported(all[31:]...), []byte("\n")))
	got := read(t, reading.Files("files", path), &reading.Query{})
	got.want(t, all)
	if at := got.records[20].At; at != path+":1" {
		t.Errorf("the first line is at %s", at)
	}
	if at, want := got.records[39].At, fmt.Sprintf("%s:%d", path, 43); at != want || got.records[39].Source != "files" {
		t.Errorf("the last line is at %s in %s, want %s", at, got.records[39].Source, want)
	}
}

func TestFilesReadsEmptyFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.log", "b.log.gz", "c.log.zst"} {
		write(t, filepath.Join(dir, name))
	}
	got := read(t, reading.Files("files", filepath.Join(dir, "*")), &reading.Query{})
	got.want(t, nil)
}

func TestFilesTakesBackupsWithTheirLog(t *testing.T) {
	dir := t.TempDir()
	all := events(t, 60)
	base := filepath.Join(dir, "audit.log")
	backup := func(day int) string { return disk.BackupPath(base, noon.AddDate(0, 0, day)) }
	write(t, base, logged(t, all[50:]...))
	write(t, backup(5), logged(t, all[40:50]...))
	write(t, backup(5)+".gz", gzipped(t, logged(t, all[40:50]...))) // a crash left both
	write(t, backup(4)+".gz", gzipped(t, logged(t, all[30:40]...)))
	write(t, backup(3)+".zst", zstandard(t, logged(t, all[20:30]...)))
	write(t, strings.Replace(backup(3), "size", "size_1", 1), logged(t, all[10:20]...))
	write(t, filepath.Join(dir, "audit-old.log"), logged(t, all[:10]...))
	if err := os.Symlink(base, filepath.Join(dir, "link.log")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		paths []string
		want  []*v1alpha1.AuditEvent
	}{
		{[]string{"audit.log"}, all[10:]},
		{[]string{"link.log", "audit.log"}, all[10:]},
		{[]string{"audit.lo[g]"}, all[50:]},
		{[]string{"audit-*size.log", "audit.log"}, all[10:]},
		{[]string{"audit-*.zst", "audit-2026-04-29*.gz", "audit-old.log"}, slices.Concat(all[:10], all[20:40])},
	} {
		var paths []string
		for _, path := range c.paths {
			paths = append(paths, filepath.Join(dir, path))
		}
		got := read(t, reading.Files("files", paths...), &reading.Query{})
		got.want(t, c.want)
	}
}

func TestFilesCountsForeignLinesOfEachFile(t *testing.T) {
	dir := t.TempDir()
	all := events(t, 4)
	a, b := filepath.Join(dir, "a.log"), filepath.Join(dir, "b.log")
	damaged := bytes.Replace(logged(t, all[3]), []byte(`"port":22`), []byte(`"port":"x"`), 1)
	write(t, a, logged(t, all[0]), []byte("panic: \x00\x01\xff\n"), []byte(`{"level":"info","msg":"ready"}`+"\n[1]\n"), logged(t, all[1]), damaged)
	write(t, b, damaged, logged(t, all[2]), bytes.TrimSuffix(logged(t, all[3]), []byte("}\n")))
	got := read(t, reading.Files("files", a, b), &reading.Query{})
	got.wantEvents(t, all[:3])
	if got.err != nil || len(got.foreign) != 3 {
		t.Fatalf("foreign %v, error %v", got.foreign, got.err)
	}
	first, second, third := got.foreign[0], got.foreign[1], got.foreign[2]
	if first.Count != 4 || first.First != a+":2" || first.Err != nil || first.Source != "files" {
		t.Errorf("in the first file: %+v", first)
	}
	if second.Count != 1 || second.First != b+":1" || second.Err == nil {
		t.Errorf("in the second file: %+v", second)
	}
	if third.Count != 1 || third.First != b+":3" || !errors.Is(third, reading.ErrUnfinished) {
		t.Errorf("at the end: %+v", third)
	}
}

func TestFilesReadsTheOthersOfAFileThatFails(t *testing.T) {
	dir := t.TempDir()
	all := events(t, 20)
	good, cut := filepath.Join(dir, "good.log"), filepath.Join(dir, "cut.log.gz")
	pipe, secret := filepath.Join(dir, "pipe.log"), filepath.Join(dir, "secret.log")
	write(t, good, logged(t, all[10:]...))
	packed := gzipped(t, logged(t, all[:10]...))
	write(t, cut, packed[:len(packed)-8])
	write(t, secret, logged(t, all...))
	if err := errors.Join(syscall.Mkfifo(pipe, 0o600), os.Chmod(secret, 0)); err != nil {
		t.Fatal(err)
	}
	missing, none := filepath.Join(dir, "missing.log"), filepath.Join(dir, "none-*.log")
	paths := []string{missing, pipe, dir, none, cut, good}
	want := []error{fs.ErrNotExist, disk.ErrIrregular, io.ErrUnexpectedEOF}
	if os.Geteuid() != 0 { // who may read everything
		paths, want = append(paths, secret), append(want, fs.ErrPermission)
	}
	got := read(t, reading.Files("files", paths...), &reading.Query{})
	got.wantEvents(t, all)
	var failed *reading.Failed
	if !errors.As(got.err, &failed) || failed.Source != "files" {
		t.Fatalf("the error is %v", got.err)
	}
	for _, path := range paths[:5] {
		if !strings.Contains(got.err.Error(), path) {
			t.Errorf("the error names no %s: %v", path, got.err)
		}
	}
	for _, cause := range want {
		if !errors.Is(got.err, cause) {
			t.Errorf("the error is not %v: %v", cause, got.err)
		}
	}
}

func TestFilesBoundsLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	all := events(t, 3)
	padded := func(ae *v1alpha1.AuditEvent, size int) []byte {
		line := exported(ae)
		return append(append([]byte{'{'}, bytes.Repeat([]byte{' '}, size+1-len(line))...), line[1:]...)
	}
	const most = 4 << 20
	write(t, path, padded(all[0], most), padded(all[1], most+1), exported(all[1]), bytes.Repeat([]byte("x"), 3*most), []byte("\n"),
		padded(all[2], most), bytes.Repeat([]byte{'y'}, 2*most))
	got := read(t, reading.Files("files", path), &reading.Query{})
	got.wantEvents(t, all)
	if got.err != nil || len(got.foreign) != 1 || got.foreign[0].Count != 3 || got.foreign[0].First != path+":2" {
		t.Errorf("foreign %v, error %v", got.foreign, got.err)
	}
	if at := got.records[2].At; at != path+":5" {
		t.Errorf("the last event is at %s", at)
	}
}

func TestFilesReadsTheStandardInput(t *testing.T) {
	all := events(t, 300)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = r
	t.Cleanup(func() { os.Stdin = before; _ = r.Close() })
	go func() {
		_, _ = w.Write(logged(t, all...))
		_ = w.Close()
	}()
	got := read(t, reading.Files("files", "-"), &reading.Query{})
	got.want(t, all)
	if at := got.records[7].At; at != "-:8" {
		t.Errorf("an event is at %s", at)
	}
}

func TestFilesEndsWithItsContext(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	before := os.Stdin
	os.Stdin = r
	t.Cleanup(func() { os.Stdin = before; _ = r.Close(); _ = w.Close() })
	for _, wait := range []time.Duration{0, 20 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		t.Cleanup(cancel)
		var last error
		for _, err := range reading.Files("files", "-").Read(ctx, &reading.Query{}) {
			last = err
		}
		if !errors.Is(last, context.DeadlineExceeded) {
			t.Errorf("the error is %v", last)
		}
	}
}

func TestFilesMayBeLeftEarly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	all := events(t, 100)
	write(t, path, bytes.Repeat(logged(t, all...), 100))
	for r, err := range reading.Files("files", path).Read(t.Context(), &reading.Query{}) {
		if err != nil || r.Event.Name != all[0].Name {
			t.Fatalf("%v, %v", r, err)
		}
		break
	}
}

// queries are of all kinds, with texts that stand at every place of an event.
func queries(t testing.TB) []reading.Query {
	t.Helper()
	all := []reading.Query{
		{},
		{Since: noon.Add(30)},
		{Until: noon.Add(30)},
		{Since: noon.Add(time.Second)},
		{Until: noon},
		{Until: noon.Add(time.Hour)},
		{Since: noon.Add(-time.Hour), Until: noon.Add(10 * time.Second)},
		{Namespaces: []string{"team-a"}},
		{Namespaces: []string{"", "x"}},
		{Components: []string{"proxy", "b"}},
		{Components: []string{"b"}},
		{Kinds: []v1alpha1.AuditKind{"egress-block"}},
		{Kinds: []v1alpha1.AuditKind{"AuditEvent"}},
		{Decisions: []v1alpha1.AuditDecision{"denied"}},
		{Decisions: []v1alpha1.AuditDecision{"granted", "warned"}},
		{Runs: []string{"run-1"}},
		{Runs: []string{`a "b" <c>`}},
		{Names: []string{"ae-00000003"}},
		{Where: where(t, `event.spec.destination.port == 22`)},
	}
	for _, text := range []string{
		"number 1", `"port":22`, "22", "api.example.com", "AuditEvent", `{"kind":"AuditEvent"`, `v1alpha1","metadata":{"name"`, `"metadata":{"name"`, "level", "null", ":",
		"2026-04-25T12:00:0", `"timestamp":"2026`, `say \"no\"`, `"no"`, "café", "\u00e9", `\u202e`, `\u0007`, "a/b", `\ufffd`, "\ufffd", "<b>", `\t`, `","apiVersion":"`, "decision",
	} {
		all = append(all, reading.Query{Grep: text})
	}
	return all
}

// varied returns events with texts that are escaped in several ways.
func varied(t testing.TB) []*v1alpha1.AuditEvent {
	t.Helper()
	all := events(t, 60)
	for i, reason := range []string{
		`say "no"`, `a\b`, "tab\tbell\a", "café", "\u202eturned", "a/b", "\ufffd", "<b>&", "line\u2028end", `{"decision":"granted"}`, `\u00e9`, "\u007f",
	} {
		all[i].Spec.Reason = reason
		all[i+20].Spec.RunRef = &v1alpha1.LocalReference{Name: `a "b" <c>`}
		all[i+20].Spec.Detail = map[string]string{"decision": reason, "timestamp": "2020-01-01T00:00:00Z", "spec": "x"}
		all[i+40].Spec.Decision = "granted"
		all[i+40].Annotations["timestamp"] = "2020-01-01T00:00:00Z"
	}
	for i, ae := range all {
		e, err := driver.Prepare(ae, "proxy")
		if err != nil {
			t.Fatal(err)
		}
		all[i] = e.Object()
	}
	return all
}

// What the filter of raw lines rejects is never anything that the query takes, whoever wrote
// the line.
func TestFilesTakesExactlyWhatTheQueryTakes(t *testing.T) {
	all := varied(t)
	var stranger bytes.Buffer // writes what others may write, which means the same
	for _, ae := range all {
		ae.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("AuditEvent"))
		text, err := json.Marshal(ae)
		if err != nil {
			t.Fatal(err)
		}
		stranger.Write(append(text, '\n'))
	}
	escaped := bytes.NewBuffer(nil)
	for line := range bytes.Lines(logged(t, all...)) { // the keys of the log, other escapes
		line = bytes.ReplaceAll(line, []byte("number"), []byte(`n\u0075mber`))
		line = bytes.ReplaceAll(line, []byte("é"), []byte(`\u00e9`))
		escaped.Write(bytes.ReplaceAll(line, []byte("a/b"), []byte(`a\/b`)))
	}
	for name, lines := range map[string][]byte{
		"log": logged(t, all...), "export": exported(all...), "encoding/json": stranger.Bytes(), "other escapes": escaped.Bytes(),
		"spaces": regexp.MustCompile(`([^\\])":`).ReplaceAll(stranger.Bytes(), []byte(`$1" : `)),
	} {
		path := filepath.Join(t.TempDir(), "audit.log")
		write(t, path, lines)
		for _, q := range queries(t) {
			var want []*v1alpha1.AuditEvent
			for _, ae := range all {
				if takes, err := q.Takes(reading.NewRecord(ae, "", "")); err != nil {
					t.Fatal(err)
				} else if takes {
					want = append(want, ae)
				}
			}
			got := read(t, reading.Files("files", path), &q)
			if t.Run(fmt.Sprintf("%s/%+v", name, q), func(t *testing.T) { got.want(t, want) }); t.Failed() {
				return
			}
		}
	}
}

func TestFilesSortsWhatIsInAnyOrder(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	dir := t.TempDir()
	all := events(t, 20_000)
	given := slices.Clone(all)
	rand.Shuffle(len(given), func(i, j int) { given[i], given[j] = given[j], given[i] })
	write(t, filepath.Join(dir, "1.log"), exported(given[:7000]...))
	write(t, filepath.Join(dir, "2.log.gz"), gzipped(t, exported(given[7000:]...)))
	got := read(t, reading.Files("files", filepath.Join(dir, "*")), &reading.Query{})
	got.want(t, all)
}

// A log of 30 MB in which every event is taken; BenchmarkFilesMemory does the same with 300.
func TestFilesHoldsLittleInMemory(t *testing.T) {
	path, size := largeLog(t, 40_000)
	source := reading.Files("files", path)
	n := 0
	runtime.GC()
	most := peak(func() {
		for _, err := range source.Read(t.Context(), &reading.Query{}) {
			if err != nil {
				t.Fatal(err)
			}
			n++
		}
	})
	if n != 40_000 || most > 64<<20 {
		t.Errorf("%d events of %d bytes took %d MiB", n, size, most>>20)
	}
	t.Logf("%d MB took at most %d MiB", size/1_000_000, most>>20)
}
