package multi_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/multi"
)

// trio is three recorders behind a fan-out, and what OnFailure heard.
type trio struct {
	*multi.Sink
	a, b, c *sinktest.Recorder

	mu    sync.Mutex
	heard []string
}

func newTrio(t *testing.T, opts multi.Options, timeouts ...time.Duration) *trio {
	t.Helper()
	tr := &trio{a: &sinktest.Recorder{}, b: &sinktest.Recorder{}, c: &sinktest.Recorder{}}
	opts.OnFailure = func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		class, _ := driver.ClassOf(err)
		if ae == nil || ae.Namespace != "team-a" {
			t.Errorf("OnFailure heard of the event %v", ae)
		}
		tr.heard = append(tr.heard, childOf(err)+" "+string(class))
	}
	children := []multi.Child{{Name: "a", Sink: tr.a}, {Name: "b", Sink: tr.b}, {Name: "c", Sink: tr.c}}
	for i, timeout := range timeouts {
		children[i].Timeout = timeout
	}
	var err error
	if tr.Sink, err = multi.New(children, opts); err != nil {
		t.Fatal(err)
	}
	closeAfter(t, tr.Sink)
	return tr
}

// childOf returns the name of the child that an error of OnFailure is about.
func childOf(err error) string {
	failed, ok := err.(*auditing.WriteError) //nolint:errorlint // only the outermost names the child
	if !ok {
		return ""
	}
	return failed.Sink
}

// closeAfter closes a sink at the end of a test: synctest wants its goroutines ended.
func closeAfter(t *testing.T, sink *multi.Sink) {
	t.Helper()
	t.Cleanup(func() { _ = sink.Close(context.Background()) })
}

func (tr *trio) failures() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Sorted(slices.Values(tr.heard))
}

func fared(t *testing.T, err error) *multi.Error {
	t.Helper()
	var e *multi.Error
	if !errors.As(err, &e) {
		t.Fatalf("there is no *multi.Error in %v", err)
	}
	return e
}

var (
	errRefused = errors.New("refused")
	errBusy    = errors.New("busy")
)

func TestEveryChildGetsTheSameIdentityAndACopyOfItsOwn(t *testing.T) {
	tr := newTrio(t, multi.Options{Component: "broker"})
	ae, err := write(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	if ae.Name == "" || ae.Labels[v1alpha1.LabelComponent] != "broker" {
		t.Errorf("the caller's event is not identified: %+v", ae.ObjectMeta)
	}
	ae.Spec.Detail["leaf"] = "black"
	for _, r := range []*sinktest.Recorder{tr.a, tr.b, tr.c} {
		got := r.Events()
		if len(got) != 1 || got[0].Name != ae.Name || got[0].Spec.Detail["leaf"] != "green" {
			t.Errorf("a child holds %+v", got)
		}
	}
}

// spoiler changes the event that it is given, which no sink may do.
type spoiler struct{}

func (s spoiler) Write(_ context.Context, ae *v1alpha1.AuditEvent) error {
	ae.Spec.Reason, ae.Spec.Detail["leaf"], ae.Labels["x"] = "spoilt", "spoilt", "spoilt"
	return nil
}

func TestAChildThatChangesItsEventSpoilsNoOther(t *testing.T) {
	r := &sinktest.Recorder{}
	sink, err := multi.New([]multi.Child{{Name: "bad", Sink: spoiler{}}, {Name: "good", Sink: r}}, multi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ae, err := write(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	for _, got := range append(r.Events(), *ae) {
		if got.Spec.Detail["leaf"] != "green" || got.Spec.Reason != "" || got.Labels["x"] != "" {
			t.Errorf("spoilt: %+v", got)
		}
	}
}

func TestThePolicyDecides(t *testing.T) {
	const ok, no = true, false
	for _, test := range []struct {
		require multi.Policy
		up      [3]bool // a, b, c
		want    bool
	}{
		{multi.All(), [3]bool{ok, ok, ok}, true},
		{multi.All(), [3]bool{ok, ok, no}, false},
		{multi.Any(), [3]bool{no, no, ok}, true},
		{multi.Any(), [3]bool{no, no, no}, false},
		{multi.AtLeast(2), [3]bool{ok, no, ok}, true},
		{multi.AtLeast(2), [3]bool{no, no, ok}, false},
		{multi.Named("b"), [3]bool{no, ok, no}, true},
		{multi.Named("b"), [3]bool{ok, no, ok}, false},
		{multi.Named("a", "c"), [3]bool{ok, no, ok}, true},
		{multi.Named("a", "c"), [3]bool{ok, ok, no}, false},
	} {
		t.Run(fmt.Sprintf("%s with %v", test.require, test.up), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tr := newTrio(t, multi.Options{Require: test.require})
				var succeeded, failed, heard []string
				for i, r := range []*sinktest.Recorder{tr.a, tr.b, tr.c} {
					name := string(rune('a' + i))
					if test.up[i] {
						succeeded = append(succeeded, name)
						continue
					}
					r.FailWith(errRefused)
					failed, heard = append(failed, name), append(heard, name+" transient")
				}
				_, err := write(t.Context(), tr)
				synctest.Wait()
				if test.want {
					if err != nil {
						t.Errorf("Write gave %v", err)
					}
					if got := tr.failures(); !reflect.DeepEqual(got, heard) {
						t.Errorf("OnFailure heard %v, want %v", got, heard)
					}
					return
				}
				if !errors.Is(err, errRefused) || !errors.Is(err, auditing.ErrAuditWrite) {
					t.Fatalf("Write gave %v", err)
				}
				e := fared(t, err)
				if !reflect.DeepEqual(e.Succeeded, succeeded) || !reflect.DeepEqual(e.Failed, failed) || e.Pending != nil {
					t.Errorf("the error says %+v", e)
				}
				if got := tr.failures(); got != nil {
					t.Errorf("OnFailure heard %v of a Write that reported it", got)
				}
			})
		})
	}
}

func TestTheErrorNamesAllAndUnwrapsToEveryCause(t *testing.T) {
	tr := newTrio(t, multi.Options{})
	tr.a.FailWith(errRefused)
	tr.b.FailWith(driver.RetryAfter(errBusy, 7*time.Second))
	_, err := write(t.Context(), tr)
	if !errors.Is(err, errRefused) || !errors.Is(err, errBusy) {
		t.Errorf("a cause is missing in %v", err)
	}
	for _, part := range []string{"all was required", "a failed: recorder: transient: refused", "b failed", "succeeded: c"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in %v", part, err)
		}
	}
	var we *auditing.WriteError
	if !errors.As(err, &we) || we.Sink != "multi" || we.Class != auditing.ClassTransient || we.RetryAfter != 7*time.Second {
		t.Errorf("the WriteError is %+v", we)
	}
}

func TestTheClassIsPermanentOnlyWhenNoRetryCanMeetTheRequirement(t *testing.T) {
	permanent := driver.Permanent(errRefused)
	closed := driver.WithClass(auditing.ClassClosed, errRefused)
	for _, test := range []struct {
		require multi.Policy
		errs    [3]error
		want    auditing.Class
	}{
		{multi.All(), [3]error{permanent, nil, nil}, auditing.ClassPermanent},
		{multi.All(), [3]error{closed, nil, nil}, auditing.ClassPermanent},
		{multi.All(), [3]error{errBusy, nil, nil}, auditing.ClassTransient},
		{multi.All(), [3]error{errBusy, permanent, nil}, auditing.ClassPermanent},
		{multi.Any(), [3]error{permanent, permanent, errBusy}, auditing.ClassTransient},
		{multi.Any(), [3]error{permanent, permanent, permanent}, auditing.ClassPermanent},
		{multi.AtLeast(2), [3]error{permanent, errBusy, nil}, auditing.ClassTransient},
		{multi.AtLeast(2), [3]error{permanent, closed, nil}, auditing.ClassPermanent},
		{multi.Named("a"), [3]error{errBusy, permanent, permanent}, auditing.ClassTransient},
		{multi.Named("a"), [3]error{permanent, nil, nil}, auditing.ClassPermanent},
	} {
		tr := newTrio(t, multi.Options{Require: test.require})
		tr.a.FailWith(test.errs[0])
		tr.b.FailWith(test.errs[1])
		tr.c.FailWith(test.errs[2])
		_, err := write(t.Context(), tr)
		if class, _ := driver.ClassOf(err); err == nil || class != test.want {
			t.Errorf("%s with %v: the class is %q, want %s", test.require, test.errs, class, test.want)
		}
	}
}

// ender ends its goroutine, as t.FailNow does.
type ender struct{}

func (ender) Write(context.Context, *v1alpha1.AuditEvent) error { runtime.Goexit(); return nil }

func TestAChildThatPanicsOrEndsItsGoroutineBreaksNoOther(t *testing.T) {
	a, b := &sinktest.Recorder{}, &sinktest.Recorder{}
	a.PanicWith("out of order")
	sink, err := multi.New([]multi.Child{{Name: "a", Sink: a}, {Name: "b", Sink: b}, {Name: "c", Sink: ender{}}}, multi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = write(t.Context(), sink)
	if e := fared(t, err); !reflect.DeepEqual(e.Failed, []string{"a", "c"}) || !strings.Contains(err.Error(), "panic: out of order") {
		t.Errorf("the error is %v", err)
	}
	if len(b.Events()) != 1 {
		t.Error("the other child has no event")
	}
	if err := sink.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEachEventIsInEveryChildOrReportedToOnFailure(t *testing.T) {
	const writers, each = 64, 50
	for name, most := range map[string]int{"with room for all": writers * each, "with little room": 8} {
		t.Run(name, func(t *testing.T) {
			tr := newTrio(t, multi.Options{Require: multi.Any(), MaxStragglers: most})
			var wg sync.WaitGroup
			var refused atomic.Int64
			for range writers {
				wg.Go(func() {
					for range each {
						if _, err := write(t.Context(), tr); err != nil {
							refused.Add(1) // all three were full: the error reported it
						}
					}
				})
			}
			wg.Wait()
			if err := tr.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			heard := map[string]int{}
			for _, failure := range tr.failures() {
				heard[failure]++
			}
			for i, r := range []*sinktest.Recorder{tr.a, tr.b, tr.c} {
				full := heard[string(rune('a'+i))+" full"]
				if got := len(r.Events()) + full + int(refused.Load()); got != writers*each {
					t.Errorf("child %d holds %d events and OnFailure heard of %d, of %d", i, len(r.Events()), full, writers*each)
				}
			}
			if most == writers*each && (len(heard) > 0 || refused.Load() > 0) {
				t.Errorf("with room for all, OnFailure heard %v, and %d failed", heard, refused.Load())
			}
		})
	}
}
