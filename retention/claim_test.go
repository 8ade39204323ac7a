package retention_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
	"github.com/paddock-dev/audit/sinks/log"
)

// claiming returns a reaper that keeps the events of ns for so long, and claims the events
// in ns. The claims of the test are renewed often.
func claiming(t *testing.T, cfg *rest.Config, ns string, keep time.Duration, opts retention.Options) *retention.Reaper {
	t.Helper()
	defer retention.SetClaimRenewal(200 * time.Millisecond)()
	opts.Namespace = ns
	return newReaper(t, cfg, restPolicy(retention.Rule{Namespace: ns, Keep: keep}), opts)
}

func lease(t *testing.T, cfg *rest.Config, ns string) *coordinationv1.Lease {
	t.Helper()
	clients, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		t.Fatal(err)
	}
	l, err := clients.CoordinationV1().Leases(ns).Get(t.Context(), "audit-reaper-policy", metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return l
}

// inBackground runs a reaper's method until stop is called, which returns its error.
func inBackground(t *testing.T, run func(context.Context) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- run(ctx) }()
	t.Cleanup(cancel)
	return func() error { cancel(); return <-ended }
}

func TestShorterRetentionIsRefusedBesideLongerOne(t *testing.T) {
	k := testenv.SharedKube(t)
	c, ns := newClient(t, k.Config), k.Namespace(t)
	create(t, c, event(ns, "kept-by-one", "egress-allow", 8*day))
	stop := inBackground(t, claiming(t, k.Config, ns, 90*day, retention.Options{}).Start)
	until(t, "the claim", func() bool { return lease(t, k.Config, ns) != nil })

	shorter := claiming(t, k.Config, ns, 7*day, retention.Options{})
	for name, run := range map[string]func() error{
		"Pass":  func() error { _, err := shorter.Pass(t.Context()); return err },
		"Start": func() error { return shorter.Start(t.Context()) },
		"Claim": func() error { return shorter.Claim(t.Context()) },
	} {
		err := run()
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		for _, want := range []string{
			*lease(t, k.Config, ns).Spec.HolderIdentity, `it has "namespace \"` + ns + `\", kind \"\": 90d"`,
			`this one has "namespace \"` + ns + `\", kind \"\": 7d"`, ns + "/audit-reaper-policy",
		} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v\nwant %s", name, err, want)
			}
		}
	}
	same(t, names(t, c, ns), []string{"kept-by-one"})
	if err := stop(); err != nil {
		t.Errorf("the reaper that was first: %v", err)
	}

	if _, err := shorter.Pass(t.Context()); err != nil {
		t.Errorf("after the end of the first: %v", err)
	}
	same(t, names(t, c, ns), nil)
}

func TestReapersOfOnePolicyWorkTogether(t *testing.T) {
	k := testenv.SharedKube(t)
	c, ns := newClient(t, k.Config), k.Namespace(t)
	create(t, c, event(ns, "old", "egress-allow", 8*day))
	standby := inBackground(t, claiming(t, k.Config, ns, 7*day, retention.Options{}).Claim)
	until(t, "the claim", func() bool { return lease(t, k.Config, ns) != nil })
	if _, err := claiming(t, k.Config, ns, 7*day, retention.Options{}).Pass(t.Context()); err != nil {
		t.Error(err)
	}
	same(t, names(t, c, ns), nil)
	if err := standby(); err != nil {
		t.Error(err)
	}
}

func TestReaperWithoutArchiveIsRefusedBesideArchivingOne(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	archive, err := log.NewFile(filepath.Join(t.TempDir(), "archive.log"), log.FileOptions{Fsync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = archive.Close(context.Background()) })
	stop := inBackground(t, claiming(t, k.Config, ns, 7*day, retention.Options{Archive: archive}).Claim)
	until(t, "the claim", func() bool { return lease(t, k.Config, ns) != nil })
	_, err = claiming(t, k.Config, ns, 7*day, retention.Options{}).Pass(t.Context())
	if err == nil || !strings.Contains(err.Error(), `it has "archive: log(`) || !strings.Contains(err.Error(), "this one has nothing beyond that") {
		t.Errorf("%v, want one that names the archive", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestReaperEndsWhenAnotherPolicyTookOver(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	ended := make(chan error, 1)
	go func() { ended <- claiming(t, k.Config, ns, 7*day, retention.Options{}).Start(t.Context()) }()
	until(t, "the claim", func() bool { return lease(t, k.Config, ns) != nil })
	clients, err := kubernetes.NewForConfig(k.Config)
	if err != nil {
		t.Fatal(err)
	}
	patch := `{"metadata":{"annotations":{"paddock.dev/retention":"default: 1d"}},"spec":{"holderIdentity":"other"}}`
	if _, err := clients.CoordinationV1().Leases(ns).Patch(t.Context(), "audit-reaper-policy", "application/merge-patch+json", []byte(patch),
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil || !strings.Contains(err.Error(), `the reaper "other" deletes the same events by another policy: it has "default: 1d"`) {
		t.Errorf("%v, want an error that names the other reaper", err)
	}
}

// leasesFull answers writes of leases as an API server whose etcd is full.
type leasesFull struct{ next http.RoundTripper }

func (f leasesFull) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.Contains(r.URL.Path, "/leases") || r.Method == http.MethodGet {
		return f.next.RoundTrip(r)
	}
	text := `{"kind":"Status","apiVersion":"v1","status":"Failure","code":500,"message":"etcdserver: mvcc: database space exceeded"}`
	return &http.Response{
		StatusCode: http.StatusInternalServerError, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(bytes.NewBufferString(text)),
	}, nil
}

func TestFullServerIsReapedWithoutLease(t *testing.T) {
	k := testenv.SharedKube(t)
	c, ns := newClient(t, k.Config), k.Namespace(t)
	create(t, c, event(ns, "old", "egress-allow", 8*day))
	cfg := rest.CopyConfig(k.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper { return leasesFull{next} })
	if _, err := claiming(t, cfg, ns, 7*day, retention.Options{}).Pass(t.Context()); err != nil {
		t.Error(err)
	}
	same(t, names(t, c, ns), nil)
}

func TestMissingRightToLeasesIsNamed(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	_, err := claiming(t, k.ConfigFor("nobody"), ns, 7*day, retention.Options{}).Pass(t.Context())
	if err == nil || !strings.Contains(err.Error(), "needs the verbs get, create and update on leases") {
		t.Errorf("%v, want the verbs that are missing", err)
	}
	_, err = claiming(t, k.Config, "no-such-namespace", 7*day, retention.Options{}).Pass(t.Context())
	if err == nil || !strings.Contains(err.Error(), "name the namespace of the reaper") {
		t.Errorf("%v, want what to do about the namespace", err)
	}
}
