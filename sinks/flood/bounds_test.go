package flood_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/flood"
)

func TestWithoutATokenEventsAreCollapsedAcrossRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{Component: "proxy", Rate: 10, Burst: 1})
		var events []*v1alpha1.AuditEvent
		for i := range 50 {
			ae := blocked(fmt.Sprint("run-", i), "evil.example")
			if i%2 == 1 {
				ae.Namespace = "team-b"
			}
			events = append(events, ae)
		}
		must(t, burst(t.Context(), sink, events...)...)
		stored := next.Events()
		if len(stored) != 3 || counted(stored) != 50 {
			t.Fatalf("%d events that count %d, want 3 that count 50: one, and a summary for each namespace", len(stored), counted(stored))
		}
		for _, ae := range stored[1:] {
			s := ae.Spec
			if s.RunRef != nil || s.Kind != v1alpha1.AuditKindEgressBlockSummary || ae.Labels[v1alpha1.LabelComponent] != "proxy" ||
				!strings.Contains(s.Reason, "events collapsed across 2") || !strings.HasSuffix(s.Reason, "over its rate: not on the list") ||
				!strings.Contains(s.Detail["differentRuns"], `as ["run-`) || s.MatchedPolicy.Name != "deny-all" {
				t.Errorf("a summary across runs is %+v", s)
			}
		}
	})
}

func TestTokensComeBackAndWithThemTheDetail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{Rate: 10, Burst: 5})
		for range 3 {
			var events []*v1alpha1.AuditEvent
			for i := range 20 {
				events = append(events, blocked(fmt.Sprint("run-", i), "evil.example"))
			}
			must(t, burst(t.Context(), sink, events...)...)
			time.Sleep(time.Minute)
		}
		if n := len(next.Events()); n != 3*(5+1) {
			t.Errorf("%d events, want each time 5 and a summary of the others", n)
		}
	})
}

func TestAComponentsFloodLeavesTheTokensOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sink := newSink(t, &sinktest.Recorder{}, flood.Options{Rate: 10, Burst: 5})
		var events []*v1alpha1.AuditEvent
		for i := range 100 {
			events = append(events, blocked(fmt.Sprint("run-", i), "evil.example"))
			events[i].Labels[v1alpha1.LabelComponent] = "noisy"
		}
		go burst(t.Context(), sink, events...)
		synctest.Wait()
		quiet := blocked("run-7", "evil.example")
		quiet.Labels[v1alpha1.LabelComponent] = "quiet"
		begin := time.Now()
		must(t, sink.Write(t.Context(), quiet))
		if took := time.Since(begin); took != 0 {
			t.Errorf("the other component waited %v", took)
		}
		must(t, sink.Close(t.Context()))
	})
}

// What has no room is refused, never dropped: the successful writes are counted.
func TestWhatHasNoRoomIsRefusedWithClassFull(t *testing.T) {
	for name, opts := range map[string]flood.Options{
		"too many waiting":       {MaxWaiting: 10},
		"too many namespaces":    {MaxKeys: 10, Rate: 1000, Burst: 1},
		"a rate far too low":     {Rate: 0.5, Burst: 1},
		"no window for another":  {MaxKeys: 1, MaxWaiting: 10},
		"every bound at its end": {MaxKeys: 1, MaxWaiting: 1, Rate: 0.001, Burst: 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				next := &sinktest.Recorder{}
				sink := newSink(t, next, opts)
				var events []*v1alpha1.AuditEvent
				for i := range 200 {
					ae := blocked("run-7", "evil.example")
					ae.Namespace = fmt.Sprint("team-", i%40)
					events = append(events, ae)
				}
				ok, refused := int64(0), 0
				for _, err := range burst(t.Context(), sink, events...) {
					class, _ := driver.ClassOf(err)
					switch {
					case err == nil:
						ok++
					case class == auditing.ClassFull:
						refused++
					default:
						t.Error(err)
					}
				}
				if n := counted(next.Events()); n != ok || refused == 0 || ok == 0 {
					t.Errorf("%d writes succeeded and %d were refused; the counts add up to %d", ok, refused, n)
				}
				time.Sleep(time.Hour)
				must(t, sink.Write(t.Context(), blocked("run-8", "evil.example")))
			})
		})
	}
}

func TestSummaryKeepsWhatItsEventsHaveInCommon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := &sinktest.Recorder{}
		sink := newSink(t, next, flood.Options{})
		var wg sync.WaitGroup
		denied := func(provider, policy, reason string) {
			ae := auditing.NewCredentialDenied(auditing.CredentialDeniedInput{
				Namespace: "team-a", RunName: "run-7", CredentialName: "token-1",
			})
			ae.Spec.Credential = &v1alpha1.AuditCredential{Name: "token-1", Provider: provider}
			ae.Spec.MatchedPolicy = &v1alpha1.LocalReference{Name: policy}
			ae.Spec.Reason, ae.Spec.Detail = reason, map[string]string{"attempt": "1"}
			wg.Go(func() {
				if err := sink.Write(context.Background(), ae); err != nil {
					t.Error(err)
				}
			})
			synctest.Wait()
		}
		denied("vault", "p0", "first")
		for i := range 5 {
			denied("vault", fmt.Sprint("p", i), fmt.Sprint("because ", i))
		}
		wg.Wait()
		s := next.Events()[1].Spec
		if s.Kind != v1alpha1.AuditKindCredentialDenied || s.Count != 5 || s.Credential.Provider != "vault" || s.MatchedPolicy != nil ||
			s.Reason != "5 events collapsed" || s.Detail["differentPolicies"] != `5, as ["p0" "p1" "p2"]` ||
			s.Detail["differentReasons"] != `5, as ["because 0" "because 1" "because 2"]` || s.Detail["detailsOmitted"] != "those of 5 events" {
			t.Errorf("the summary is %+v", s)
		}
	})
}
