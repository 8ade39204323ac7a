package driver_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

func TestAClosedGateLetsNothingIn(t *testing.T) {
	var g driver.Gate
	if err := g.Enter(2); err != nil {
		t.Fatal(err)
	}
	g.Leave(2)
	for range 2 {
		if err := g.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		err := g.Enter(1)
		if class, _ := driver.ClassOf(err); err == nil || class != auditing.ClassClosed {
			t.Errorf("class %s: %v", class, err)
		}
	}
}

func TestAGateWaitsForWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g driver.Gate
		if err := errors.Join(g.Enter(3), g.Enter(1)); err != nil {
			t.Fatal(err)
		}
		closed := make(chan error, 2)
		for range cap(closed) {
			go func() { closed <- g.Close(t.Context()) }()
		}
		synctest.Wait()
		g.Leave(1)
		synctest.Wait()
		if len(closed) != 0 {
			t.Error("Close returned before everything had left")
		}
		g.Leave(3)
		for range cap(closed) {
			if err := <-closed; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestAGateSaysHowManyEventsStayedUnconfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g driver.Gate
		if err := g.Enter(3); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := g.Close(ctx); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "3 events") {
			t.Errorf("Close: %v", err)
		}
		g.Leave(3)
		if err := g.Close(t.Context()); err != nil {
			t.Errorf("Close once all have left: %v", err)
		}
	})
}

func TestCloseClosesTheChannelOfClosing(t *testing.T) {
	var g driver.Gate
	before := g.Closing()
	select {
	case <-before:
		t.Fatal("the gate is closing before Close")
	default:
	}
	for range 2 {
		if err := g.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-before
		<-g.Closing()
	}
	var closed driver.Gate
	if err := closed.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-closed.Closing()
}
