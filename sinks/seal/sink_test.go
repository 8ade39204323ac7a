package seal_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/canonical"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/seal"
)

func denial(i int) *v1alpha1.AuditEvent {
	return auditing.NewEgressBlock(auditing.EgressInput{
		RunName: "hr-1", Namespace: "team-a", Host: fmt.Sprintf("host-%d.example.com", i), Port: 443, Reason: "no policy allows it",
	})
}

func sealed(t testing.TB, next auditing.Sink, opts seal.Options) *seal.Sink {
	t.Helper()
	if opts.Component == "" {
		opts.Component = "proxy"
	}
	s, err := seal.New(next, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(within(t, 10*time.Second)) })
	return s
}

// within returns a context of a test's end, for calls in a cleanup too.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), d)
	t.Cleanup(cancel)
	return ctx
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEveryEventHasALeafThatACheckpointCovers(t *testing.T) {
	next := &sinktest.Recorder{}
	s := sealed(t, next, seal.Options{Leaves: 64})
	const n, writers = 1000, 16
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				if err := s.Write(t.Context(), denial(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, s.Close(within(t, 10*time.Second)))
	p := only(t, prove(t, next.Events()))
	last := len(p.checkpoints) - 1
	if p.kinds[0] != canonical.KindTrailOpened || p.kinds[last] != canonical.KindTrailClosed {
		t.Errorf("the trail has %v", p.kinds)
	}
	if int(p.size) != n+len(p.checkpoints) || len(p.leaves) != int(p.size) {
		t.Errorf("%d leaves are signed, want %d events and %d checkpoints", p.size, n, len(p.checkpoints))
	}
	for i := range p.size - 2 { // the checkpoint before the last one tells nothing of itself, and so on
		if p.outcomes[i] != "stored" && i < p.checkpoints[last].Settled.To {
			t.Errorf("index %d: %q", i, p.outcomes[i])
		}
	}
	if told := p.checkpoints[last].Settled.To; told != p.size-1 {
		t.Errorf("the last checkpoint tells outcomes up to %d of %d", told, p.size)
	}
}

func TestRetryHasTheSealOfTheFirstAttempt(t *testing.T) {
	next := &sinktest.Recorder{}
	s := sealed(t, next, seal.Options{})
	ae := denial(1)
	next.FailWith(driver.Permanent(errors.New("refused")))
	if err := s.Write(t.Context(), ae); err == nil {
		t.Fatal("the write did not fail")
	}
	first := ae.Annotations[v1alpha1.AnnotationSeal]
	next.FailWith(nil)
	must(t, s.Wait(within(t, 10*time.Second))) // it tells that the event failed
	must(t, s.Write(t.Context(), ae))
	must(t, s.Write(t.Context(), ae))
	if again := ae.Annotations[v1alpha1.AnnotationSeal]; first == "" || again != first {
		t.Errorf("the seal was %q and is %q", first, again)
	}
	must(t, s.Close(within(t, 10*time.Second)))
	p := only(t, prove(t, next.Events()))
	if index := indexOf(t, ae); p.outcomes[index] != "stored" || p.names[index] != ae.Name {
		t.Errorf("index %d is %q, of %s", index, p.outcomes[index], p.names[index])
	}
}

func TestEventThatWasChangedAfterItsSealIsRefused(t *testing.T) {
	next := &sinktest.Recorder{}
	s := sealed(t, next, seal.Options{})
	ae := denial(1)
	must(t, s.Write(t.Context(), ae))
	good := ae.Annotations[v1alpha1.AnnotationSeal]
	for name, change := range map[string]func(*v1alpha1.AuditEvent){
		"spec": func(ae *v1alpha1.AuditEvent) { ae.Spec.Reason = "another" },
		"index": func(ae *v1alpha1.AuditEvent) {
			ae.Annotations[v1alpha1.AnnotationSeal] = strings.Replace(good, " 1 ", " 0 ", 1)
		},
		"index beyond": func(ae *v1alpha1.AuditEvent) {
			ae.Annotations[v1alpha1.AnnotationSeal] = strings.Replace(good, " 1 ", " 99999999 ", 1)
		},
		"no seal": func(ae *v1alpha1.AuditEvent) { ae.Annotations[v1alpha1.AnnotationSeal] = "v1 forged" },
	} {
		other := ae.DeepCopy()
		change(other)
		err := s.Write(t.Context(), other)
		if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent || !errors.Is(err, auditing.ErrAuditWrite) || !strings.Contains(err.Error(), "changed after it was sealed") {
			t.Errorf("%s: %v", name, err)
		}
	}
	must(t, s.Write(t.Context(), ae))
}

func TestSealOfAnotherTrailGoesOnAsItIs(t *testing.T) {
	first, next := &sinktest.Recorder{}, &sinktest.Recorder{}
	ae := denial(1)
	must(t, sealed(t, first, seal.Options{}).Write(t.Context(), ae))
	before := ae.Annotations[v1alpha1.AnnotationSeal]
	must(t, sealed(t, next, seal.Options{}).Write(t.Context(), ae))
	for _, got := range next.Events() {
		if got.Name == ae.Name && got.Annotations[v1alpha1.AnnotationSeal] == before {
			return
		}
	}
	t.Errorf("no event has the seal %q", before)
}

func TestOutcomesAreToldAsTheyWere(t *testing.T) {
	next := &sinktest.Recorder{}
	s := sealed(t, next, seal.Options{})
	must(t, s.Wait(within(t, 10*time.Second))) // the trail is open
	want := map[int64]string{}
	for i, c := range []struct {
		err  error
		want string
	}{
		{nil, "stored"},
		{driver.Permanent(errors.New("refused")), "failed"},
		{errors.New("no answer"), "unclear"},
		{driver.WithClass(auditing.ClassFull, errors.New("full")), "failed"},
		{context.DeadlineExceeded, "unclear"},
		{nil, "stored"},
	} {
		next.FailWith(c.err)
		ae := denial(i)
		if err := s.Write(t.Context(), ae); (err == nil) != (c.err == nil) {
			t.Fatalf("%v gives %v", c.err, err)
		}
		want[indexOf(t, ae)] = c.want
	}
	next.FailWith(nil)
	must(t, s.Close(within(t, 10*time.Second)))
	p := only(t, prove(t, next.Events()))
	for index, outcome := range want {
		if p.outcomes[index] != outcome {
			t.Errorf("index %d is told %q, want %q", index, p.outcomes[index], outcome)
		}
	}
}

func TestOutageOfCheckpointsFailsNoWriteAndIsReported(t *testing.T) {
	next := &sinktest.Recorder{}
	var heard sync.Map
	down := &checkpointsFail{Recorder: next}
	down.fail.Store(true)
	s := sealed(t, down, seal.Options{Leaves: 10, Interval: time.Millisecond, OnFailure: func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
		heard.Store(ae.Spec.Kind, err)
	}})
	const n = 3 * trail.MaxLeaves
	for i := range n {
		must(t, s.Write(t.Context(), denial(i)))
	}
	if err := s.Wait(within(t, 50*time.Millisecond)); err == nil || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no room") {
		t.Errorf("Wait says %v", err)
	}
	if _, ok := heard.Load(canonical.KindTrailOpened); !ok {
		t.Error("nobody heard that the trail could not be opened")
	}
	down.fail.Store(false)
	must(t, s.Close(within(t, 20*time.Second)))
	p := only(t, prove(t, next.Events()))
	if len(p.leaves) < n || p.size < n {
		t.Errorf("%d leaves, %d signed, want %d and more", len(p.leaves), p.size, n)
	}
	if c := p.checkpoints[0]; c.Before.Size() == 0 || len(c.Leaves) > trail.MaxLeaves {
		t.Errorf("the first checkpoint that was stored carries %d leaves from %d on", len(c.Leaves), c.Before.Size())
	}
}

func TestTrailEndsAfterItsMostEvents(t *testing.T) {
	next := &sinktest.Recorder{}
	synctest.Test(t, func(t *testing.T) {
		s := sealed(t, next, seal.Options{MaxEvents: 50, Interval: time.Millisecond})
		for i := range 120 {
			must(t, s.Write(t.Context(), denial(i)))
			if i%10 == 0 {
				time.Sleep(2 * time.Millisecond)
			}
		}
		must(t, s.Close(within(t, 10*time.Second)))
	})
	trails := prove(t, next.Events())
	heads, events := 0, 0
	for id, p := range trails {
		if last := p.kinds[len(p.kinds)-1]; last != canonical.KindTrailClosed {
			t.Errorf("trail %s ends with %s", id, last)
		}
		events += len(p.leaves) - len(p.checkpoints)
		for _, c := range p.checkpoints {
			heads += len(c.Heads)
		}
	}
	if len(trails) != 3 || events != 120 || heads != 3 { // the second tells of the first, and the third of both
		t.Errorf("%d trails with %d events, which name %d heads of others", len(trails), events, heads)
	}
}

func TestOldTrailEndsByItself(t *testing.T) {
	next := &sinktest.Recorder{}
	s := sealed(t, next, seal.Options{MaxAge: time.Second, Interval: time.Millisecond, Idle: 10 * time.Millisecond})
	must(t, s.Write(t.Context(), denial(0)))
	for deadline := time.Now().Add(20 * time.Second); len(prove(t, next.Events())) < 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there is no second trail")
		}
		must(t, s.Write(t.Context(), denial(1)))
	}
	must(t, s.Close(within(t, 10*time.Second)))
}

func TestPlaceThatLacksAnEventIsDeclared(t *testing.T) {
	next := &sinktest.Recorder{}
	s := sealed(t, next, seal.Options{})
	for i := range 3 {
		must(t, s.Write(t.Context(), denial(i)))
	}
	id := ""
	for _, ae := range next.Events() {
		e, err := driver.Prepare(&ae, "")
		must(t, err)
		if index := indexOf(t, &ae); index == 2 || index == 3 {
			driver.Lacks(e, "the lake")
			parsed, _ := trail.ParseSeal(ae.Annotations[v1alpha1.AnnotationSeal])
			id = parsed.Trail
		}
	}
	foreign := denial(9)
	elsewhere := trail.NewID()
	foreign.Annotations = map[string]string{v1alpha1.AnnotationSeal: trail.Seal{Trail: elsewhere, Index: 7}.String()}
	e, err := driver.Prepare(foreign, "")
	must(t, err)
	driver.Lacks(e, "lake")
	must(t, s.Close(within(t, 10*time.Second)))
	p := only(t, prove(t, next.Events()))
	if own, other := p.lacks[id+" the lake"].String(), p.lacks[elsewhere+" lake"].String(); own != "2-3" || other != "7" {
		t.Errorf("declared are %q and, of another trail, %q", own, other)
	}
}

func TestMoreLacksThanOneCheckpointHoldsAreDeclared(t *testing.T) {
	next := &sinktest.Recorder{}
	s := sealed(t, next, seal.Options{Interval: time.Hour})
	must(t, s.Write(t.Context(), denial(1)))
	var want trail.Ranges
	elsewhere := trail.NewID()
	for i := range 900 {
		index := int64(2 * i) // no two of them make one range
		foreign := denial(i)
		foreign.Annotations = map[string]string{v1alpha1.AnnotationSeal: trail.Seal{Trail: elsewhere, Index: index}.String()}
		e, err := driver.Prepare(foreign, "")
		must(t, err)
		driver.Lacks(e, "lake")
		want.Add(index)
	}
	must(t, s.Close(within(t, 10*time.Second)))
	p := only(t, prove(t, next.Events()))
	if got := p.lacks[elsewhere+" lake"].String(); got != want.String() {
		t.Errorf("declared are %q", got)
	}
	if last := p.kinds[len(p.kinds)-1]; last != canonical.KindTrailClosed {
		t.Errorf("the last checkpoint is %s", last)
	}
}

func TestLongTermKeyVouchesForTheTrail(t *testing.T) {
	private, public, err := note.GenerateKey(rand.Reader, "prod/proxy")
	must(t, err)
	authority, err := seal.LongTermKey(private)
	must(t, err)
	next := &sinktest.Recorder{}
	s := sealed(t, next, seal.Options{Authority: authority, Cluster: "prod"})
	must(t, s.Close(within(t, 10*time.Second)))
	verifier, err := note.NewVerifier(public)
	must(t, err)
	for _, c := range only(t, prove(t, next.Events())).checkpoints {
		got, root, err := trail.OpenCertificate(c.Certificate, note.VerifierList(verifier))
		must(t, err)
		if got.Key != c.Key || root != "prod/proxy" || !strings.HasPrefix(c.Key, "prod/proxy/") {
			t.Errorf("%+v of %s", got, root)
		}
	}
}

func TestNewRefusesWhatCannotBeProven(t *testing.T) {
	for want, make := range map[string]func() (*seal.Sink, error){
		"is nil":                func() (*seal.Sink, error) { return seal.New(nil, seal.Options{Component: "a"}) },
		"set Options.Component": func() (*seal.Sink, error) { return seal.New(&sinktest.Recorder{}, seal.Options{}) },
		"Options.Cluster: has": func() (*seal.Sink, error) {
			return seal.New(&sinktest.Recorder{}, seal.Options{Component: "a", Cluster: "a/b"})
		},
		"Options.Namespace: is no name": func() (*seal.Sink, error) {
			return seal.New(&sinktest.Recorder{}, seal.Options{Component: "a", Namespace: "Audit_System"})
		},
		"put redact in front": func() (*seal.Sink, error) {
			return seal.New(driver.New(informed{driver.Info{Name: "redact", Redacts: true}}), seal.Options{Component: "a"})
		},
		"set Options.Namespace": func() (*seal.Sink, error) {
			return seal.New(driver.New(informed{driver.Info{Name: "kube", Namespaced: true}}), seal.Options{Component: "a"})
		},
		"Options.Leaves": func() (*seal.Sink, error) {
			return seal.New(&sinktest.Recorder{}, seal.Options{Component: "a", Leaves: -1})
		},
	} {
		if _, err := make(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
