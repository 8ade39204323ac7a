package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/reading/vlsource"
)

const (
	// scaleEnv is how many events TestDiffNamesExactlyWhatWasChanged writes instead of 2,000.
	scaleEnv = "AUDIT_READ_EVENTS"
	// mostMemory bounds the memory of the process that compares them.
	mostMemory = 64 << 20
)

// Four places get the same events. The test deletes some from the API server, and edits some
// in the log.
func TestDiffNamesExactlyWhatWasChanged(t *testing.T) {
	n := 2000
	if text := os.Getenv(scaleEnv); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil || n <= 0 || n%1000 != 0 {
			t.Fatalf("%s=%s: want a multiple of 1,000", scaleEnv, text)
		}
	}
	binary := built(t)
	p := startPlaces(t)
	t.Chdir(t.TempDir())
	took := stopwatch(t)
	all := scaleEvents(p.namespaces, n)
	writeScale(t, p, all)
	took("%d events written to four places", n)

	var removed, changed []*v1alpha1.AuditEvent
	for i, ae := range all {
		switch { // each of several kinds of time
		case i%100 == 3+i/100%3:
			removed = append(removed, ae)
		case i%(n/10) == 11+i/(n/10)%4:
			changed = append(changed, ae)
		}
	}
	p.remove(t, removed)
	p.edit(t, changed)
	took("%d events removed from the API server, %d edited in the log", len(removed), len(changed))

	code, out, memory, whole := measured(t, binary, append([]string{"diff", "-o", "ndjson", logFile}, p.flags...)...)
	sameFindings(t, code, out, removed, changed)
	took("auditctl diff: at most %.1f MiB of its own, %.1f MiB with the program's file", mib(memory), mib(whole))
	if runtime.GOOS == "linux" && (memory == 0 || memory >= mostMemory) {
		t.Errorf("auditctl diff took %d bytes of memory, want fewer than %d", memory, mostMemory)
	}
	readsExactly(t, reading.Files(logFile, logFile), p.namespaces, names(all))
	took("%s: %d events", logFile, len(all))
	for _, page := range []int{5000, 7} {
		for _, s := range p.servers(t, page) {
			want := names(all)
			if s.Name() == placeCluster {
				gone := names(removed)
				want = slices.DeleteFunc(want, func(name string) bool { _, is := slices.BinarySearch(gone, name); return is })
			}
			readsExactly(t, s, p.namespaces, want)
			took("%s by pages of %d: %d events", s.Name(), page, len(want))
		}
	}
}

// stopwatch returns a function that logs what has been done, and how long it took since the
// last call.
func stopwatch(t *testing.T) (took func(what string, args ...any)) {
	begin := time.Now()
	return func(what string, args ...any) {
		t.Logf("%-7s %s", time.Since(begin).Round(10*time.Millisecond), fmt.Sprintf(what, args...))
		begin = time.Now()
	}
}

func mib(bytes uint64) float64 { return float64(bytes) / (1 << 20) }

// names returns the names of events in order.
func names(all []*v1alpha1.AuditEvent) []string {
	list := make([]string, len(all))
	for i, ae := range all {
		list[i] = ae.Name
	}
	slices.Sort(list)
	return list
}

// sameFindings fails unless diff found that the removed events are missing in the API server,
// that the changed ones differ in the log, and nothing else.
func sameFindings(t *testing.T, code int, out string, removed, changed []*v1alpha1.AuditEvent) {
	t.Helper()
	var want, got []string
	for _, ae := range removed {
		want = append(want, "missing "+placeCluster+" "+ae.Name)
	}
	for _, ae := range changed {
		want = append(want, "differs "+logFile+" "+ae.Name)
	}
	for line := range strings.Lines(out) {
		var d struct {
			Finding, Place string
			Event          struct{ Metadata struct{ Name string } }
		}
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		got = append(got, d.Finding+" "+d.Place+" "+d.Event.Metadata.Name)
	}
	slices.Sort(want)
	slices.Sort(got)
	if code != wrong || !slices.Equal(got, want) {
		t.Errorf("diff exits with %d and finds %d, want %d: %.500s", code, len(got), len(want), strings.Join(got, "\n"))
	}
}

// servers returns the sources of the servers, with this page size.
func (p *places) servers(t *testing.T, page int) []reading.Source {
	t.Helper()
	made := func(s reading.Source, err error) reading.Source {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	return []reading.Source{
		made(kubesource.New(placeCluster, p.kube.Config, kubesource.Options{PageSize: page})),
		made(vlsource.New(placeVictoriaLogs, p.vl.URL, vlsource.Options{PageSize: page})),
		made(lokisource.New(placeLoki, p.loki.URL, lokisource.Options{PageSize: page})),
	}
}

// readsExactly fails unless a source yields exactly these names, each once and in order. The
// log yields an event again that was written to it twice.
func readsExactly(t *testing.T, s reading.Source, namespaces []string, want []string) {
	t.Helper()
	var got []string
	var last reading.Key
	for r, err := range s.Read(t.Context(), &reading.Query{Namespaces: namespaces}) {
		if err != nil {
			t.Fatal(s.Name(), ": ", err)
		}
		if order := r.Key().Compare(last); order < 0 {
			t.Fatalf("%s: %s comes after %s", s.Name(), r.Event.Name, last.Name)
		} else if order == 0 && s.Name() == logFile {
			continue
		}
		last = r.Key()
		got = append(got, r.Event.Name)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%s: %d events, want %d", s.Name(), len(got), len(want))
	}
}
