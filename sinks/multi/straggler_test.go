package multi_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/multi"
)

// deaf hangs until it is released, whatever its context says.
type deaf chan struct{}

func (d deaf) Write(context.Context, *v1alpha1.AuditEvent) error { <-d; return nil }

func TestAStragglerGoesOnAfterItsCallerHasGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrio(t, multi.Options{Require: multi.Named("a")})
		release := tr.b.Hang()
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := write(ctx, tr); err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		release()
		if err := tr.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if len(tr.b.Events()) != 1 || tr.failures() != nil {
			t.Errorf("the straggler holds %d events, OnFailure heard %v", len(tr.b.Events()), tr.failures())
		}
	})
}

func TestAStragglerEndsWithTheCallersDeadlineOrWithItsOwn(t *testing.T) {
	for name, test := range map[string]struct {
		deadline time.Duration
		opts     multi.Options
		child    time.Duration
		want     time.Duration
	}{
		"the caller's deadline":    {deadline: 2 * time.Second, want: 2 * time.Second},
		"the default":              {want: 30 * time.Second},
		"StragglerTimeout":         {opts: multi.Options{StragglerTimeout: 5 * time.Second}, want: 5 * time.Second},
		"the child's own timeout":  {child: time.Second, want: time.Second},
		"the earlier of two":       {deadline: time.Minute, child: time.Second, want: time.Second},
		"a deadline over defaults": {deadline: time.Minute, want: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				test.opts.Require = multi.Any()
				tr := newTrio(t, test.opts, 0, test.child)
				tr.b.Hang()
				ctx, cancel := context.WithCancel(t.Context())
				if test.deadline > 0 {
					ctx, cancel = context.WithTimeout(t.Context(), test.deadline)
				}
				start := time.Now()
				_, err := write(ctx, tr)
				cancel()
				if err != nil || time.Since(start) != 0 {
					t.Fatalf("Write gave %v after %v", err, time.Since(start))
				}
				if err := tr.Close(t.Context()); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took != test.want {
					t.Errorf("the straggler ended after %v, want %v", took, test.want)
				}
				if got := tr.failures(); !reflect.DeepEqual(got, []string{"b timeout"}) {
					t.Errorf("OnFailure heard %v", got)
				}
			})
		})
	}
}

func TestCancellationEndsChildrenBeforeTheVerdict(t *testing.T) {
	for _, require := range []multi.Policy{multi.All(), multi.Named("b")} {
		synctest.Test(t, func(t *testing.T) {
			tr := newTrio(t, multi.Options{Require: require})
			tr.b.Hang()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(time.Second, cancel)
			start := time.Now()
			_, err := write(ctx, tr)
			if time.Since(start) != time.Second || !errors.Is(err, context.Canceled) {
				t.Errorf("Write gave %v after %v", err, time.Since(start))
			}
			if class, _ := driver.ClassOf(err); class != auditing.ClassTimeout {
				t.Errorf("the class is %s", class)
			}
			if err := tr.Close(t.Context()); err != nil || time.Since(start) != time.Second {
				t.Errorf("the child did not end with the caller: %v after %v", err, time.Since(start))
			}
		})
	}
}

func TestWriteWhoseContextEndsNamesPendingChildren(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrio(t, multi.Options{})
		tr.a.FailWith(errRefused)
		hung := make(deaf)
		sink, err := multi.New([]multi.Child{{Name: "a", Sink: tr.a}, {Name: "b", Sink: tr.b}, {Name: "deaf", Sink: hung}}, multi.Options{})
		if err != nil {
			t.Fatal(err)
		}
		closeAfter(t, sink)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		_, err = write(ctx, sink)
		if time.Since(start) != time.Second || !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errRefused) {
			t.Errorf("Write gave %v after %v", err, time.Since(start))
		}
		e := fared(t, err)
		if !reflect.DeepEqual([][]string{e.Failed, e.Succeeded, e.Pending}, [][]string{{"a"}, {"b"}, {"deaf"}}) {
			t.Errorf("the error says %+v", e)
		}
		close(hung)
	})
}

func TestAChildsOwnTimeoutFailsThatChildOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrio(t, multi.Options{}, 0, time.Second)
		tr.b.Hang()
		start := time.Now()
		_, err := write(t.Context(), tr)
		if time.Since(start) != time.Second || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Write gave %v after %v", err, time.Since(start))
		}
		if class, _ := driver.ClassOf(err); class != auditing.ClassTransient {
			t.Errorf("the class is %s: the caller's own time is not up", class)
		}
		if e := fared(t, err); !reflect.DeepEqual(e.Succeeded, []string{"a", "c"}) {
			t.Errorf("the error says %+v", e)
		}
	})
}

func TestAChildThatHangsForEverHoldsNoMoreThanItsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrio(t, multi.Options{})
		hung := make(deaf)
		var full, other int
		sink, err := multi.New([]multi.Child{{Name: "a", Sink: tr.a}, {Name: "deaf", Sink: hung}}, multi.Options{
			Require: multi.Named("a"), MaxStragglers: 3,
			OnFailure: func(_ context.Context, _ *v1alpha1.AuditEvent, err error) {
				if class, _ := driver.ClassOf(err); childOf(err) == "deaf" && class == auditing.ClassFull {
					full++
				} else {
					other++
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if _, err := write(t.Context(), sink); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		if full != 7 || other != 0 || len(tr.a.Events()) != 10 {
			t.Errorf("%d writes failed as full, %d otherwise, %d arrived elsewhere", full, other, len(tr.a.Events()))
		}
		close(hung) // and there is room again
		synctest.Wait()
		if _, err := write(t.Context(), sink); err != nil || full != 7 {
			t.Errorf("after it recovered: %v, %d full", err, full)
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestAnOnFailureThatPanicsDoesNoHarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrio(t, multi.Options{})
		tr.b.FailWith(errRefused)
		sink, err := multi.New([]multi.Child{{Name: "a", Sink: tr.a}, {Name: "b", Sink: tr.b}}, multi.Options{
			Require: multi.Any(), OnFailure: func(context.Context, *v1alpha1.AuditEvent, error) { panic("alarm out of order") },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := write(t.Context(), sink); err != nil {
			t.Error(err)
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseNamesWhatRemainedAndClosesTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tr := newTrio(t, multi.Options{})
		hung := make(deaf)
		sink, err := multi.New([]multi.Child{{Name: "a", Sink: tr.a}, {Name: "deaf", Sink: hung}}, multi.Options{Require: multi.Any()})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := write(t.Context(), sink); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err = sink.Close(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "deaf") || strings.Contains(err.Error(), "closing a") {
			t.Errorf("Close gave %v", err)
		}
		_, err = write(t.Context(), tr.a)
		if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
			t.Errorf("the child that was done is not closed: %v", err)
		}
		_, err = write(t.Context(), sink)
		if class, _ := driver.ClassOf(err); class != auditing.ClassClosed {
			t.Errorf("Write after Close gave %v", err)
		}
		close(hung)
		if err := sink.Close(t.Context()); err != nil {
			t.Errorf("closing again gave %v", err)
		}
	})
}

type failingClose struct{ deaf }

func (failingClose) Close(context.Context) error { return errRefused }

func TestCloseJoinsTheErrorsOfItsChildren(t *testing.T) {
	sink, err := multi.New([]multi.Child{{Name: "a", Sink: failingClose{}}, {Name: "b", Sink: failingClose{}}}, multi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = sink.Close(t.Context())
	if !errors.Is(err, errRefused) || !strings.Contains(err.Error(), "closing a") || !strings.Contains(err.Error(), "closing b") {
		t.Errorf("Close gave %v", err)
	}
}
