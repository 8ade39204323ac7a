package multi_test

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/multi"
)

// register notes the goroutine of each Store, and hangs while it is held.
type register struct {
	driver.Base
	mu   sync.Mutex
	ids  []string
	held chan struct{}
}

func (*register) Info() driver.Info { return driver.Info{Name: "register"} }

func (r *register) Store(context.Context, []*driver.Event) []error {
	stack := make([]byte, 64)
	id := strings.Fields(string(stack[:runtime.Stack(stack, false)]))[1]
	r.mu.Lock()
	r.ids = append(r.ids, id)
	held := r.held
	r.mu.Unlock()
	if held != nil {
		<-held
	}
	return nil
}

func TestAnIdleGoroutineIsUsedAgainAndABusyOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &register{}
		sink, err := multi.New([]multi.Child{{Name: "a", Sink: driver.New(&picky{})}, {Name: "b", Sink: driver.New(r)}},
			multi.Options{Require: multi.Named("a")})
		if err != nil {
			t.Fatal(err)
		}
		store := func() {
			if _, err := write(t.Context(), sink); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		store()
		store() // on the same
		r.held = make(chan struct{})
		store() // on the same, which is busy from here on
		store() // on another
		close(r.held)
		r.held = nil
		synctest.Wait()
		store() // on either
		ids := r.ids
		if len(ids) != 5 || ids[0] != ids[1] || ids[0] != ids[2] {
			t.Errorf("the goroutines were %v, want one for the first three", ids)
		}
		if ids[3] == ids[2] {
			t.Errorf("the goroutines were %v: a busy one was given a second event", ids)
		}
		if ids[4] != ids[2] && ids[4] != ids[3] {
			t.Errorf("the goroutines were %v, want an old one for the fifth", ids)
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// workers counts the goroutines in the bubbles of synctest that write to children.
func workers() (n int) {
	stacks := make([]byte, 1<<20)
	for stack := range strings.SplitSeq(string(stacks[:runtime.Stack(stacks, true)]), "\n\n") {
		state, _, _ := strings.Cut(stack, "\n")
		if strings.Contains(state, "synctest bubble") && strings.Contains(stack, "multi.(*child).work") {
			n++
		}
	}
	return n
}

func TestFewGoroutinesStayIdleAndNoneAfterClose(t *testing.T) {
	const writers, most = 100, 2
	synctest.Test(t, func(t *testing.T) {
		r := &register{held: make(chan struct{})}
		sink, err := multi.New([]multi.Child{{Name: "a", Sink: driver.New(r)}}, multi.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var written sync.WaitGroup
		for range writers {
			written.Go(func() {
				if _, err := write(t.Context(), sink); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if n := workers(); n != writers {
			t.Errorf("%d goroutines for %d writers, want one each", n, writers)
		}
		close(r.held)
		written.Wait()
		synctest.Wait()
		if n := workers(); n != most {
			t.Errorf("%d goroutines are idle, want %d", n, most)
		}
		if err := sink.Close(t.Context()); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if n := workers(); n != 0 {
			t.Errorf("%d goroutines are left after Close", n)
		}
	})
}
