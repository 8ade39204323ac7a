package seal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/seal"
)

// crowded is a board that has the same entries always.
type crowded []seal.Posted

func (c crowded) Exchange(context.Context, seal.Posted) ([]seal.Posted, error) { return c, nil }

// recordedHeads counts the checkpoints that record each trail, and checks their bounds.
func recordedHeads(t *testing.T, events []v1alpha1.AuditEvent) map[string]int {
	t.Helper()
	heads, keys := map[string]int{}, map[string]bool{}
	for i := range events {
		if !trail.IsCheckpoint(events[i].Spec.Kind) {
			continue
		}
		for key, text := range events[i].Spec.Detail {
			if len(text) > trail.MaxText {
				t.Errorf("%s has %d bytes", key, len(text))
			}
		}
		c, err := trail.ParseCheckpoint(events[i].Spec.Detail)
		must(t, err)
		for _, k := range c.Keys {
			origin, _, _ := strings.Cut(k.Key, "+")
			keys[origin] = true
		}
		for _, h := range c.Heads {
			if heads[h.Origin]++; !keys[h.Origin] {
				t.Errorf("the head of %s is recorded before its key", h.Origin)
			}
		}
	}
	return heads
}

func TestEachOfAThousandTrailsHasItsTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 1000
		var board crowded
		for range n {
			board = append(board, madeUp(t, strings.Repeat("certificate ", 25)+"\n"))
		}
		all := &sinktest.Recorder{}
		s, err := seal.New(all, seal.Options{Component: "proxy", Board: board})
		must(t, err)
		for i := range 70 {
			must(t, s.Write(t.Context(), denial(i)))
			time.Sleep(11 * time.Second)
		}
		heads := recordedHeads(t, all.Events())
		if len(heads) != n {
			t.Errorf("%d trails are recorded, want %d", len(heads), n)
		}
		for origin, times := range heads {
			if times != 1 {
				t.Errorf("the head of %s has not changed, and is recorded %d times", origin, times)
			}
		}
		must(t, s.Close(within(t, time.Minute)))
	})
}

// renewing is a board on which a trail has a new certificate each time, and another one is rolled back each other time.
type renewing struct {
	trail, shorter, longer seal.Posted
	times                  int
}

func (r *renewing) Exchange(context.Context, seal.Posted) ([]seal.Posted, error) {
	r.times++
	r.trail.Certificate = fmt.Sprint("certificate ", r.times)
	if r.times%2 == 0 {
		return []seal.Posted{r.trail, r.shorter}, nil
	}
	return []seal.Posted{r.trail, r.longer}, nil
}

func TestNewCertificatesAndOldHeadsAddLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := &renewing{trail: madeUp(t, "")}
		origin := trail.Origin("default", "broker", trail.NewID())
		signer, key, err := trail.NewKey(origin)
		must(t, err)
		for size, to := range map[int64]*seal.Posted{7: &board.shorter, 9: &board.longer} {
			head, err := trail.Head{Origin: origin, Size: size}.Sign(signer)
			must(t, err)
			*to = seal.Posted{Note: head.Note(), Key: key}
		}
		all := &sinktest.Recorder{}
		s, err := seal.New(all, seal.Options{Component: "proxy", Board: board})
		must(t, err)
		for i := range 150 {
			must(t, s.Write(t.Context(), denial(i)))
			time.Sleep(time.Minute)
		}
		must(t, s.Close(within(t, time.Minute)))
		keys, heads := 0, 0
		for _, ae := range all.Events() {
			if !trail.IsCheckpoint(ae.Spec.Kind) {
				continue
			}
			c, err := trail.ParseCheckpoint(ae.Spec.Detail)
			must(t, err)
			keys, heads = keys+len(c.Keys), heads+len(c.Heads)
		}
		if board.times < 100 || keys != 3 || heads != 4 {
			t.Errorf("after %d exchanges, %d keys and %d heads are recorded, want 3 and 4", board.times, keys, heads)
		}
	})
}

func TestFloodOfMadeUpTrailsIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		board := &memory{}
		real := madeUp(t, "a certificate")
		board.set(map[string]seal.Posted{"": real})
		all, metrics := &sinktest.Recorder{}, prometheus.NewRegistry()
		s, err := seal.New(all, seal.Options{Component: "proxy", Board: board, Registerer: metrics})
		must(t, err)
		synctest.Wait()
		flood := map[string]seal.Posted{}
		for i := range 10_000 {
			flood[fmt.Sprint(i)] = seal.Posted{Note: real.Note, Key: "x", Certificate: strings.Repeat("x", i)}
		}
		for i := range 2100 {
			flood[fmt.Sprint(i)] = madeUp(t, "a certificate")
		}
		board.set(flood)
		for i := range 3 {
			must(t, s.Write(t.Context(), denial(i)))
			time.Sleep(time.Minute)
		}
		if n := count(t, metrics, "paddock_audit_seal_board_ignored_total"); n < 2*8000 {
			t.Errorf("%v entries are ignored", n)
		}
		must(t, s.Close(within(t, time.Minute)))
		origin, _, _ := strings.Cut(real.Key, "+")
		if heads := recordedHeads(t, all.Events()); heads[origin] != 1 || len(heads) > 16*7 {
			t.Errorf("%d heads are recorded, %d times that which was there before the flood", len(heads), heads[origin])
		}
	})
}
