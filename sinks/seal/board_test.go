package seal_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/mod/sumdb/note"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/verify"
)

// memory is a board to which anybody may write.
type memory struct {
	mu  sync.Mutex
	all map[string]seal.Posted // by their keys
}

func (m *memory) Exchange(_ context.Context, mine seal.Posted) ([]seal.Posted, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.all == nil {
		m.all = map[string]seal.Posted{}
	}
	m.all[mine.Key] = mine
	return slices.Collect(maps.Values(m.all)), nil
}

func (m *memory) copy() map[string]seal.Posted {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.all)
}

func (m *memory) set(all map[string]seal.Posted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = maps.Clone(all)
}

// cluster has components whose trails are stored in one place, and a board.
type cluster struct {
	t         *testing.T
	authority seal.Authority
	trust     *verify.Trust
	board     memory
	stores    []*sinktest.Recorder // one for each start, all of them one place
	metrics   *prometheus.Registry
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "root")
	must(t, err)
	authority, err := seal.LongTermKey(private)
	must(t, err)
	trust, err := verify.ParseTrust(fmt.Appendf(nil, `
keys: [{name: root, key: %q, components: [broker, proxy]}]
components: [{name: broker, sealedSince: 2000-01-01T00:00:00Z}, {name: proxy, sealedSince: 2000-01-01T00:00:00Z}]
`, public))
	must(t, err)
	return &cluster{t: t, authority: authority, trust: trust, metrics: prometheus.NewRegistry()}
}

func (c *cluster) start(component string) *seal.Sink {
	c.t.Helper()
	c.stores = append(c.stores, &sinktest.Recorder{})
	s, err := seal.New(c.stores[len(c.stores)-1], seal.Options{
		Component: component, Namespace: "default", Authority: c.authority, Board: &c.board, Registerer: c.metrics, Name: component,
	})
	must(c.t, err)
	return s
}

// work has a component write for some minutes.
func (c *cluster) work(minutes int, sinks ...*seal.Sink) {
	c.t.Helper()
	for range minutes {
		for _, s := range sinks {
			must(c.t, s.Write(c.t.Context(), denial(0)))
		}
		time.Sleep(time.Minute)
	}
}

func (c *cluster) stop(s *seal.Sink) {
	c.t.Helper()
	must(c.t, s.Close(within(c.t, time.Minute)))
}

// report verifies the events that remain.
func (c *cluster) report(remain func(component string) bool) *verify.Report {
	c.t.Helper()
	v := verify.New(c.trust, verify.Options{})
	for _, store := range c.stores {
		for i, ae := range store.Events() {
			if remain(ae.Labels[v1alpha1.LabelComponent]) {
				v.Add(reading.NewRecord(&ae, "place", fmt.Sprint(i)))
			}
		}
	}
	return v.Report()
}

func everything(string) bool { return true }

// withoutTail leaves the first n of a component.
func withoutTail(component string, n int) func(string) bool {
	return func(of string) bool {
		if of != component {
			return true
		}
		n--
		return n >= 0
	}
}

// mustFind checks the verdict, and all codes above a note.
func (c *cluster) mustFind(r *verify.Report, want verify.Verdict, codes ...verify.Code) {
	c.t.Helper()
	var found []verify.Code
	for _, f := range r.Findings {
		if f.Level != verify.LevelNote {
			found = append(found, f.Code)
		}
	}
	if r.Verdict != want || !slices.Equal(found, codes) {
		c.t.Errorf("%s with %v, want %s with %v: %+v", r.Verdict, found, want, codes, r.Findings)
	}
}

// notes returns how many heads are unproven.
func notes(r *verify.Report) (n int) {
	for _, f := range r.Findings {
		if f.Code == verify.CodeHead {
			n++
		}
	}
	return n
}

func TestBoardShowsWhatIsGoneOfAnotherComponent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		broker, proxy := c.start("broker"), c.start("proxy")
		c.work(3, broker, proxy)
		early := c.board.copy()
		c.work(5, broker, proxy)
		c.stop(broker)
		c.work(3, proxy)
		// Whoever wants to hide that a trail is gone rolls the board back, and empties it.
		c.board.set(early)
		c.work(3, proxy)
		c.board.set(nil)
		c.work(3, proxy)
		c.stop(proxy)
		c.mustFind(c.report(everything), verify.Intact)
		c.mustFind(c.report(withoutTail("broker", 0)), verify.Tampered, verify.CodeTrailDeleted)
		c.mustFind(c.report(withoutTail("broker", 9)), verify.Tampered, verify.CodeTailCut)
		c.mustFind(c.report(withoutTail("proxy", 9)), verify.Tampered, verify.CodeTailCut) // the broker's last checkpoint
		if r := c.report(everything); notes(r) > 0 {
			t.Errorf("%+v", r.Findings)
		}
	})
}

func TestReplicasThatComeAndGoAreNoAlarm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		var running []*seal.Sink
		for i := range 12 {
			running = append(running, c.start([]string{"broker", "proxy", "broker"}[i%3]))
			c.work(2, running...)
			if r := c.report(everything); r.Verdict != verify.Intact || notes(r) > 0 {
				t.Fatalf("after %d replicas: %s with %+v", i, r.Verdict, r.Findings)
			}
			if i%4 > 1 {
				c.stop(running[0])
				running = running[1:]
			}
		}
		for _, s := range running {
			c.stop(s)
		}
		if r := c.report(everything); r.Verdict != verify.Intact || notes(r) > 0 || len(r.Trails) != 12 {
			t.Errorf("%s of %d trails with %+v", r.Verdict, len(r.Trails), r.Findings)
		}
	})
}

// madeUp returns an entry of a trail that never was.
func madeUp(t testing.TB, certificate string) seal.Posted {
	t.Helper()
	return madeUpIn(t, "default", certificate)
}

func madeUpIn(t testing.TB, cluster, certificate string) seal.Posted {
	t.Helper()
	origin := trail.Origin(cluster, "broker", trail.NewID())
	signer, key, err := trail.NewKey(origin)
	must(t, err)
	head, err := trail.Head{Origin: origin, Size: 1000}.Sign(signer)
	must(t, err)
	return seal.Posted{Note: head.Note(), Key: key, Certificate: certificate}
}

func TestForgedHeadsShowNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t)
		broker, proxy := c.start("broker"), c.start("proxy")
		c.work(3, broker, proxy)
		all := c.board.copy()
		var real seal.Posted
		for key, p := range all {
			if strings.Contains(key, "/broker/") {
				real = p
			}
		}
		never, other := madeUp(t, real.Certificate), madeUp(t, "")
		larger := real
		lines := strings.SplitN(real.Note, "\n", 3)
		larger.Note = lines[0] + "\n1000\n" + lines[2]
		foreign := real
		foreign.Note = never.Note
		all["never"], all["other"] = never, other
		all["larger"], all["foreign"], all["empty"] = larger, foreign, seal.Posted{}
		all["wide"] = madeUpIn(t, strings.Repeat("c", 600), "")
		for _, certificate := range []string{
			strings.Repeat("x", trail.MaxText),
			strings.Repeat("<", trail.MaxText/2),
			strings.Repeat("\n", trail.MaxText/2),
			"\xff",
			strings.Repeat("x", 100) + "…[9 bytes, sha256 000000000000]", // as of a text that was cut
		} {
			for key, p := range c.board.copy() {
				all[key+certificate] = seal.Posted{Note: p.Note, Key: p.Key, Certificate: certificate}
			}
		}
		c.board.set(all)
		c.work(5, broker, proxy)
		if n := count(t, c.metrics, "paddock_audit_seal_board_ignored_total"); n < 14 {
			t.Errorf("%v entries were ignored, want 14 and more", n)
		}
		c.stop(proxy)
		c.work(3, broker)
		c.stop(broker)
		r := c.report(everything)
		c.mustFind(r, verify.Intact)
		if n := notes(r); n != 2 {
			t.Errorf("%d heads are unproven, want those of the two trails that never were: %+v", n, r.Findings)
		}
		c.mustFind(c.report(withoutTail("broker", 0)), verify.Tampered, verify.CodeTrailDeleted)
	})
}

// count returns the sum of a metric.
func count(t *testing.T, metrics *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := metrics.Gather()
	must(t, err)
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// away is a board that does not answer.
type away struct{}

func (away) Exchange(ctx context.Context, _ seal.Posted) ([]seal.Posted, error) {
	<-ctx.Done()
	return nil, fmt.Errorf("no answer: %w", ctx.Err())
}

func TestBoardThatIsAwayDelaysNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, all, metrics := newAuditor(t, time.Time{}), &sinktest.Recorder{}, prometheus.NewRegistry()
		opts := a.options()
		opts.Board, opts.Registerer = away{}, metrics
		var heard error
		opts.OnFailure = func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
			if ae == nil {
				heard = err
			}
		}
		s, err := seal.New(all, opts)
		must(t, err)
		for i := range 300 {
			begun := time.Now()
			must(t, s.Write(t.Context(), denial(i)))
			must(t, s.Wait(within(t, time.Second)))
			if took := time.Since(begun); took > 0 {
				t.Fatalf("the checkpoint of event %d came after %s", i, took)
			}
			time.Sleep(time.Second)
		}
		if n := count(t, metrics, "paddock_audit_seal_board_failures_total"); n < 5 || count(t, metrics, "paddock_audit_seal_checkpoint_failures_total") > 0 {
			t.Errorf("%v exchanges failed", n)
		}
		begun := time.Now()
		must(t, s.Close(within(t, time.Minute)))
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("Close took %s", took)
		}
		if heard == nil || !errors.Is(heard, context.DeadlineExceeded) || !strings.Contains(heard.Error(), "with the board: no answer") {
			t.Errorf("heard %v", heard)
		}
		a.mustBeIntact(t, stored{"all", all.Events()})
	})
}
