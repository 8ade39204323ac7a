package retention_test

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/retention"
	"github.com/paddock-dev/audit/sinks/log"
	"github.com/paddock-dev/audit/sinks/loki"
)

// refusing is an archive that refuses events by name, which no real destination
// does on demand. It keeps the others.
type refusing struct {
	sinktest.Recorder

	names []string
	with  error // errRefused when nil
}

var errRefused = driver.Permanent(errors.New("the archive refuses this one"))

func (r *refusing) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	d, _ := r.Driver()
	return driver.Write(ctx, choosing{d, r}, ae)
}

func (r *refusing) Level() auditing.Level { return auditing.LevelDurable }

// choosing is a refusing archive as its author sees it.
type choosing struct {
	driver.Driver

	archive *refusing
}

func (c choosing) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, func(ctx context.Context, e *driver.Event) error {
		if slices.Contains(c.archive.names, e.Name()) {
			return cmp.Or(c.archive.with, errRefused)
		}
		return errors.Join(c.Driver.Store(ctx, []*driver.Event{e})...)
	})
}

func TestAnEventThatTheArchiveDoesNotConfirmStays(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	stored := map[string]*v1alpha1.AuditEvent{}
	for i := range 150 {
		ae := event(ns, numbered("old", i), "egress-allow", 8*day)
		ae.Labels[v1alpha1.LabelComponent] = "proxy"
		stored[ae.Name] = ae
		create(t, c, ae)
	}
	create(t, c, event(ns, "young", "egress-allow", 6*day))
	archive := &refusing{names: []string{numbered("old", 3), numbered("old", 120)}}
	r := newReaper(t, server.Config, restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}), retention.Options{Archive: archive})
	sum, err := r.Pass(t.Context())
	if !errors.Is(err, auditing.ErrAuditWrite) || !strings.Contains(err.Error(), "2 expired events had to stay") {
		t.Errorf("the pass: %v", err)
	}
	if sum.Deleted != 148 || sum.Archived != 148 || sum.Failed != 2 {
		t.Errorf("%+v", sum)
	}
	same(t, names(t, c, ns), append(archive.names, "young"))
	archived := archive.Events()
	for i := range archived {
		got, want := &archived[i], stored[archived[i].Name]
		if want == nil || got.UID != "" || got.Namespace != want.Namespace || got.Labels[v1alpha1.LabelComponent] != "proxy" ||
			!auditing.EventTime(got).Equal(auditing.EventTime(want)) || got.Spec.Reason != want.Spec.Reason {
			t.Errorf("the archive has %+v", got)
		}
	}
	if len(archived) != 148 {
		t.Errorf("the archive has %d events", len(archived))
	}
}

func TestPassEndsWhenTheArchiveIsDown(t *testing.T) {
	server := testenv.SharedKube(t)
	c, ns := newClient(t, server.Config), server.Namespace(t)
	var all []string
	for i := range 250 {
		all = append(all, numbered("old", i))
		create(t, c, event(ns, all[i], "egress-allow", 8*day))
	}
	policy := restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day})
	down := &refusing{names: all, with: errors.New("connection refused")}
	sum, err := newReaper(t, server.Config, policy, retention.Options{Archive: down}).Pass(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the archive recorder failed 100 times in a row") {
		t.Errorf("an archive that is down: %v", err)
	}
	if sum.Failed < 100 || sum.Failed > 150 {
		t.Errorf("the archive was asked %d times", sum.Failed)
	}
	choosy := &refusing{names: all}
	sum, err = newReaper(t, server.Config, policy, retention.Options{Archive: choosy}).Pass(t.Context())
	if err == nil || sum.Failed != 250 {
		t.Errorf("an archive that refuses: %+v, %v", sum, err)
	}
	same(t, names(t, c, ns), all)
}

func TestArchiveBelowLevelDurableIsRefused(t *testing.T) {
	server := testenv.SharedKube(t)
	console := log.Stderr(log.Options{})
	_, err := retention.New(server.Config, retention.Policy{}, retention.Options{Archive: console})
	if err == nil || !strings.Contains(err.Error(), "log(stderr) is at level accepted") || !strings.Contains(err.Error(), "at least durable") {
		t.Errorf("New: %v", err)
	}
}

// granted is a configuration for a user with these verbs on auditevents in every namespace.
func granted(t *testing.T, server *testenv.Kube, user string, verbs ...string) *rest.Config {
	t.Helper()
	clients, err := kubernetes.NewForConfig(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{"paddock.dev"}, Resources: []string{"auditevents"}, Verbs: verbs}},
	}
	if _, err := clients.RbacV1().ClusterRoles().Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: user},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: user}},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: user},
	}
	if _, err := clients.RbacV1().ClusterRoleBindings().Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	return server.ConfigFor(user)
}

func TestAnEventThatIsArchivedAgainAfterACrashIsOneEventInLoki(t *testing.T) {
	server, lake := testenv.SharedKube(t), testenv.NewLoki(t, testenv.LokiOptions{})
	c, ns := newClient(t, server.Config), server.Namespace(t)
	for i := range 20 {
		create(t, c, event(ns, numbered("old", i), "egress-allow", 60*day))
	}
	// What a crash between the archive and the delete leaves, a reaper without the right to delete leaves as well.
	powerless := granted(t, server, "list-only", "list")
	for i, cfg := range []*rest.Config{powerless, server.Config} {
		archive, err := loki.New(lake.URL, loki.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := newReaper(t, cfg, restPolicy(retention.Rule{Namespace: ns, Keep: 7 * day}), retention.Options{Archive: archive})
		sum, err := r.Pass(t.Context())
		if sum.Archived != 20 || (err == nil) != (i == 1) {
			t.Errorf("pass %d: %+v, %v", i, sum, err)
		}
		if i == 0 && !strings.Contains(err.Error(), "needs the verb delete on auditevents") {
			t.Errorf("the error does not say what to do: %v", err)
		}
		if err := archive.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
	same(t, names(t, c, ns), nil)
	entries, err := lake.Query(t.Context(), "", `{namespace="`+ns+`"}`, time.Now().Add(-100*day), time.Now().Add(time.Hour), 0)
	if err != nil || len(entries) != 20 {
		t.Errorf("Loki has %d entries, want 20: %v", len(entries), err)
	}
}
