package multi_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/multi"
)

// keeper keeps the events that it is handed, and waits first while it is held.
type keeper struct {
	driver.Base
	info driver.Info
	held chan struct{}

	mu   sync.Mutex
	seen []*driver.Event
}

func (k *keeper) Info() driver.Info {
	k.info.Name = "keeper"
	return k.info
}

func (k *keeper) Store(_ context.Context, events []*driver.Event) []error {
	if k.held != nil {
		<-k.held
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.seen = append(k.seen, events...)
	return nil
}

func TestChildrenShareOneEventThatNoneCanChange(t *testing.T) {
	a, b, other := &keeper{}, &keeper{}, &sinktest.Recorder{}
	inner, err := multi.New([]multi.Child{{Name: "b", Sink: driver.New(b)}, {Name: "bad", Sink: spoiler{}}}, multi.Options{})
	if err != nil {
		t.Fatal(err)
	}
	sink, err := multi.New([]multi.Child{
		{Name: "a", Sink: driver.New(a)}, {Name: "inner", Sink: inner}, {Name: "bad", Sink: spoiler{}}, {Name: "other", Sink: other},
	}, multi.Options{Component: "broker"})
	if err != nil {
		t.Fatal(err)
	}
	ae, err := write(t.Context(), sink)
	if err != nil {
		t.Fatal(err)
	}
	name := ae.Name
	ae.Spec.Detail["leaf"], ae.Labels[v1alpha1.LabelComponent], ae.Name = "black", "caller", "caller"
	if len(a.seen) != 1 || len(b.seen) != 1 || a.seen[0] != b.seen[0] {
		t.Fatalf("the children got %v and %v, want one event that they share", a.seen, b.seen)
	}
	spoilt := a.seen[0].Object()
	spoilt.Spec.Detail["leaf"], spoilt.Labels["x"] = "spoilt", "spoilt"
	for _, got := range append(other.Events(), *a.seen[0].Object(), *b.seen[0].Object()) {
		if got.Labels[v1alpha1.LabelComponent] != "broker" || got.Labels["x"] != "" ||
			got.Spec.Detail["leaf"] != "green" || got.Spec.Reason != "" || got.Name != name {
			t.Errorf("the doing of another is in %+v", got)
		}
	}
}

func TestAStragglerSeesNoChangeOfTheCallersSlice(t *testing.T) {
	for n := 1; n <= 3; n++ {
		synctest.Test(t, func(t *testing.T) {
			quick, slow := &keeper{}, &keeper{held: make(chan struct{})}
			sink, err := multi.New([]multi.Child{{Name: "quick", Sink: driver.New(quick)}, {Name: "slow", Sink: driver.New(slow)}},
				multi.Options{Require: multi.Any()})
			if err != nil {
				t.Fatal(err)
			}
			events := prepared(t, "x", "y", "z")[:n]
			handed := slices.Clone(events)
			if errs := driver.Of(sink).Store(t.Context(), events); errs != nil {
				t.Fatal(errs)
			}
			if !slices.Equal(events, handed) {
				t.Error("the caller's slice was changed")
			}
			clear(events) // the caller may use it again
			close(slow.held)
			if err := sink.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(slow.seen, handed) || !slices.Equal(quick.seen, handed) {
				t.Errorf("the children hold %v and %v, want %v", quick.seen, slow.seen, handed)
			}
		})
	}
}

func TestTwoComponentsAreAnErrorOfNew(t *testing.T) {
	child := func(component string) multi.Child {
		return multi.Child{Name: component, Sink: driver.New(&keeper{info: driver.Info{Component: component}})}
	}
	for _, test := range []struct {
		own      string
		children []multi.Child
		want     string // the component, or what the error names
		refused  bool
	}{
		{"", []multi.Child{child("proxy"), child("")}, "proxy", false},
		{"proxy", []multi.Child{child("proxy")}, "proxy", false},
		{"broker", []multi.Child{child("")}, "broker", false},
		{"", []multi.Child{child("proxy"), child("broker")}, `"broker"`, true},
		{"broker", []multi.Child{child("proxy")}, `"broker"`, true},
		{"no label value", []multi.Child{child("")}, `"no label value"`, true},
	} {
		sink, err := multi.New(test.children, multi.Options{Component: test.own})
		if !test.refused {
			if err != nil || driver.Of(sink).Info().Component != test.want {
				t.Errorf("%q over %v: %v, want %s", test.own, test.children, err, test.want)
				continue
			}
			if ae, err := write(t.Context(), sink); err != nil || ae.Labels[v1alpha1.LabelComponent] != test.want {
				t.Errorf("an event is labelled %q, want %s: %v", ae.Labels[v1alpha1.LabelComponent], test.want, err)
			}
			continue
		}
		if err == nil || !strings.HasPrefix(err.Error(), "multi: ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q over %v: the error is %v, want %s in it", test.own, test.children, err, test.want)
		}
		if test.own != "no label value" && !strings.Contains(err.Error(), `"proxy"`) {
			t.Errorf("the error does not name both: %v", err)
		}
	}
}

func TestInfoIsMadeOfTheChildrens(t *testing.T) {
	const folded, recognised = driver.RepeatsFolded, driver.RepeatsRecognised
	infos := []driver.Info{
		{Namespaced: true, Batch: 16, Repeats: recognised, Level: auditing.LevelAcknowledged},
		{Namespaced: true, Batch: 0, Repeats: recognised},
		{Namespaced: false, Batch: 500, Repeats: folded},
	}
	for _, test := range []struct {
		require    multi.Policy
		children   string // by their first letters: a, b, c
		namespaced bool
		batch      int
		repeats    driver.Repeats
	}{
		{multi.All(), "abc", true, 16, folded},
		{multi.All(), "ab", true, 16, recognised},
		{multi.All(), "c", false, 500, folded},
		{multi.All(), "b", true, 0, recognised},
		{multi.Any(), "abc", false, 16, folded},
		{multi.Any(), "ab", true, 16, recognised},
		{multi.Any(), "bc", false, 500, folded},
		{multi.AtLeast(1), "abc", false, 16, folded},
		{multi.AtLeast(2), "abc", true, 16, folded}, // one of any two needs a namespace
		{multi.AtLeast(2), "ab", true, 16, recognised},
		{multi.Named("c"), "abc", false, 16, folded},
		{multi.Named("a"), "abc", true, 16, folded},
		{multi.Named("a", "c"), "abc", true, 16, folded},
	} {
		var children []multi.Child
		for _, letter := range test.children {
			children = append(children, multi.Child{Name: string(letter), Sink: driver.New(&keeper{info: infos[letter-'a']})})
		}
		sink, err := multi.New(children, multi.Options{Require: test.require})
		if err != nil {
			t.Fatal(err)
		}
		info := driver.Of(sink).Info()
		if info.Name != "multi" || info.Namespaced != test.namespaced || info.Batch != test.batch || info.Repeats != test.repeats {
			t.Errorf("%s of %s: %+v", test.require, test.children, info)
		}
	}
}
