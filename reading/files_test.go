package reading_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/paddock-dev/audit/api/v1alpha1"
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
