package kube_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

func TestRetryAfterAKilledAPIServerLeavesOneObject(t *testing.T) {
	own, err := testenv.StartKube()
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	}()
	c, ns := newClient(t, own.Config), own.Namespace(t)
	sink := kube.Sink{Client: c}

	const writers, timeout = 16, 3 * time.Second
	var wg sync.WaitGroup
	var stored atomic.Int64
	warm := make(chan struct{}) // closed once writes are under way
	failed := make([]*v1alpha1.AuditEvent, writers)
	for w := range writers {
		wg.Go(func() {
			for failed[w] == nil {
				ctx, cancel := context.WithTimeout(context.Background(), timeout)
				ae := issued(ns)
				begin := time.Now()
				if err := sink.Write(ctx, ae); err != nil {
					if took := time.Since(begin); took > timeout+time.Second {
						t.Errorf("the failed write took %s", took)
					}
					if !errors.Is(err, auditing.ErrAuditWrite) {
						t.Errorf("%v is no ErrAuditWrite", err)
					}
					failed[w] = ae
				} else if stored.Add(1) == 100 {
					close(warm)
				}
				cancel()
			}
		})
	}
	<-warm
	if err := own.KillAPIServer(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()

	restart, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := own.RestartAPIServer(restart); err != nil {
		t.Fatal(err)
	}
	for _, ae := range failed {
		if err := sink.Write(t.Context(), ae); err != nil {
			t.Errorf("the retry: %v", err)
		}
	}
	if got, want := int64(len(list(t, c, ns))), stored.Load()+writers; got != want {
		t.Errorf("%d objects, want %d: one for each event", got, want)
	}
}

// roundTripper lets a test cut or hold what goes to the real server.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func wrapped(config *rest.Config, wrap func(http.RoundTripper) roundTripper) *rest.Config {
	config = rest.CopyConfig(config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return wrap(next) })
	return config
}

func TestAnAnswerLostAfterTheObjectWasStoredIsMendedByARetry(t *testing.T) {
	own := testenv.SharedKube(t)
	ns := own.Namespace(t)
	var cut atomic.Bool
	cut.Store(true)
	config := wrapped(own.Config, func(next http.RoundTripper) roundTripper {
		return func(r *http.Request) (*http.Response, error) {
			answer, err := next.RoundTrip(r)
			if err == nil && r.Method == http.MethodPost && cut.Load() {
				_ = answer.Body.Close()
				return nil, errors.New("connection reset by peer")
			}
			return answer, err
		}
	})
	sink := kube.Sink{Client: newClient(t, config)}
	ae := issued(ns)
	wantClass(t, sink.Write(t.Context(), ae), auditing.ClassTransient)
	cut.Store(false)
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, newClient(t, own.Config), ns)); n != 1 {
		t.Errorf("%d objects, want 1", n)
	}
}

// silent is an address that accepts connections and never answers. A real API
// server cannot be made to hang on demand.
func silent(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	return "http://" + l.Addr().String()
}

func TestWriteEndsWithItsContextWhenTheServerIsSilent(t *testing.T) {
	sink := kube.Sink{Client: offlineClient(t, silent(t))}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err := sink.Write(ctx, issued("default"))
	wantClass(t, err, auditing.ClassTimeout)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v does not unwrap to DeadlineExceeded", err)
	}
	if took := time.Since(begin); took > 200*time.Millisecond+time.Second {
		t.Errorf("the write took %s", took)
	}
}

// A client that is out of its own QPS waits without the caller's context while
// it discovers the server's API.
func TestClientSideThrottlingHoldsAWriterNoLongerThanItsContext(t *testing.T) {
	own := testenv.SharedKube(t)
	config := rest.CopyConfig(own.Config)
	config.QPS, config.Burst = 0.01, 1 // the second request would wait 100 s
	sink := kube.Sink{Client: newClient(t, config)}
	const timeout = 500 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	begin := time.Now()
	err := sink.Write(ctx, issued(own.Namespace(t)))
	wantClass(t, err, auditing.ClassTimeout)
	if took := time.Since(begin); took > timeout+time.Second {
		t.Errorf("the write took %s", took)
	}
}

func TestAManagersCachedClientStartsNoInformer(t *testing.T) {
	own := testenv.SharedKube(t)
	for name, unstructured := range map[string]bool{"as by default": false, "that caches unstructured objects too": true} {
		t.Run(name, func(t *testing.T) {
			ns := own.Namespace(t)
			var reads atomic.Int64
			config := wrapped(own.Config, func(next http.RoundTripper) roundTripper {
				return func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodGet && r.URL.Path == "/apis/paddock.dev/v1alpha1/auditevents" {
						reads.Add(1)
					}
					return next.RoundTrip(r)
				}
			})
			scheme := runtime.NewScheme()
			if err := v1alpha1.AddToScheme(scheme); err != nil {
				t.Fatal(err)
			}
			mgr, err := ctrl.NewManager(config, ctrl.Options{
				Scheme:  scheme,
				Metrics: server.Options{BindAddress: "0"},
				Client:  client.Options{Cache: &client.CacheOptions{Unstructured: unstructured}},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- mgr.Start(ctx) }()
			if !mgr.GetCache().WaitForCacheSync(ctx) {
				t.Fatal("the manager's cache did not start")
			}
			sink := kube.Sink{Client: mgr.GetClient()}
			ae := issued(ns)
			for range 2 { // the second write has to compare
				if err := sink.Write(ctx, ae); err != nil {
					t.Fatal(err)
				}
			}
			cancel()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if n := reads.Load(); n != 0 {
				t.Errorf("%d lists or watches of auditevents, want none", n)
			}
		})
	}
}

// wedged is a client whose calls do not return before release is closed, whatever their contexts say.
type wedged struct {
	client.Client
	release chan struct{}
	calls   atomic.Int64
}

func (w *wedged) Create(ctx context.Context, obj client.Object, opts ...client.CreateOption) error {
	w.calls.Add(1)
	<-w.release
	return w.Client.Create(ctx, obj, opts...)
}

func TestAbandonedCallsOfAWedgedClientAreBounded(t *testing.T) {
	own := testenv.SharedKube(t)
	stuck := &wedged{Client: newClient(t, own.Config), release: make(chan struct{})}
	sink, ns := kube.Sink{Client: stuck}, own.Namespace(t)
	write := func(timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		return sink.Write(ctx, issued(ns))
	}
	const most = 1000
	for stuck.calls.Load() < most { // a context may end before the call
		wantClass(t, write(time.Millisecond), auditing.ClassTimeout)
	}
	for range 5 {
		wantClass(t, write(10*time.Second), auditing.ClassFull)
	}
	if n := stuck.calls.Load(); n > most {
		t.Errorf("%d calls are under way, want at most %d", n, most)
	}
	well := kube.Sink{Client: newClient(t, own.Config)}
	if err := well.Write(t.Context(), issued(ns)); err != nil {
		t.Errorf("another client: %v", err)
	}

	close(stuck.release)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		err := write(10 * time.Second)
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("after the calls have returned: %v", err)
		}
	}
}
