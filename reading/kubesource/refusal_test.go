package kubesource_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
)

func TestErrorsNameTheMissingRight(t *testing.T) {
	k := testenv.SharedKube(t)
	ns := k.Namespace(t)
	s := source(t, k.ConfigFor("nobody"), kubesource.Options{})
	err := failure(t, s, &reading.Query{Namespaces: []string{ns}})
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "needs the verb list on auditevents.paddock.dev in namespace "+ns) {
		t.Errorf("in a namespace: %v", err)
	}
	if err := failure(t, s, &reading.Query{}); !strings.Contains(err.Error(), "needs the verb list on auditevents.paddock.dev in every namespace") {
		t.Errorf("everywhere: %v", err)
	}

	clients, err := kubernetes.NewForConfig(k.Config)
	if err != nil {
		t.Fatal(err)
	}
	role := &rbacv1.Role{ObjectMeta: metav1.ObjectMeta{Name: "lists"}, Rules: []rbacv1.PolicyRule{{
		Verbs: []string{"list"}, APIGroups: []string{"paddock.dev"}, Resources: []string{"auditevents"},
	}}}
	binding := &rbacv1.RoleBinding{
		ObjectMeta: role.ObjectMeta, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: "lister"}},
	}
	if _, err := clients.RbacV1().Roles(ns).Create(t.Context(), role, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if _, err := clients.RbacV1().RoleBindings(ns).Create(t.Context(), binding, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	f := follow(t, source(t, k.ConfigFor("lister"), kubesource.Options{}), &reading.Query{Namespaces: []string{ns}})
	for err := range f.errs { // the right to list takes a moment to be known
		if strings.Contains(err.Error(), "needs the verb watch on auditevents.paddock.dev in namespace "+ns) {
			break
		}
	}
}

func TestServerWithoutTheCRDIsAnErrorThatSaysSo(t *testing.T) {
	k := testenv.SharedKube(t)
	cfg := through(k.Config, func(next http.RoundTripper, r *http.Request) (*http.Response, error) {
		r.URL.Path = strings.Replace(r.URL.Path, "v1alpha1", "v9", 1)
		return next.RoundTrip(r)
	})
	if err := failure(t, source(t, cfg, kubesource.Options{}), &reading.Query{}); !strings.Contains(err.Error(), "apply deploy/crd") {
		t.Error(err)
	}
}

func TestWrongTokenIsAnErrorWithoutIt(t *testing.T) {
	k := testenv.SharedKube(t)
	cfg := rest.CopyConfig(k.Config)
	cfg.BearerToken = "hunter2-is-wrong"
	err := failure(t, source(t, cfg, kubesource.Options{}), &reading.Query{})
	if !apierrors.IsUnauthorized(err) || !strings.Contains(err.Error(), "check the credentials") || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

// fake returns a configuration for a server that answers with handle.
func fake(t *testing.T, handle http.HandlerFunc) *rest.Config {
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL, BearerToken: "hunter2"}
}

func TestNoAnswerHoldsAReaderUp(t *testing.T) {
	var leaked atomic.Bool
	other := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		leaked.Store(leaked.Load() || r.Header.Get("Authorization") != "")
	}))
	defer other.Close()
	endless := func(start, again string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, err := io.WriteString(w, start)
			for r.Context().Err() == nil && err == nil {
				_, err = io.WriteString(w, again)
			}
		}
	}
	for name, c := range map[string]struct {
		handle http.HandlerFunc
		want   string
	}{
		"101":            {func(w http.ResponseWriter, _ *http.Request) { testenv.SwitchesProtocols(t, w) }, "101"},
		"redirect":       {func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, other.URL, http.StatusFound) }, "302"},
		"endless name":   {endless(`{"items":[{"metadata":{"name":"`, strings.Repeat("x", 1<<16)), "more than 8 MiB"},
		"endless spaces": {endless(`{"items":[`, strings.Repeat(" ", 1<<16)), "more than 8 MiB"},
		"endless refusal": {func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			endless("", strings.Repeat("x", 1<<16))(w, r)
		}, ""},
		"no list":     {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") }, "cannot be read"},
		"half a list": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"items":[`) }, "unexpected EOF"},
		"echo": {func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, r.Header.Get("Authorization"), http.StatusTeapot)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := source(t, fake(t, c.handle), kubesource.Options{})
			err := failure(t, s, &reading.Query{})
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 20_000 {
				t.Errorf("%.500s", err)
			}
			f := follow(t, s, &reading.Query{})
			select {
			case <-f.errs:
			case <-time.After(2 * time.Minute):
				t.Error("Follow yields no error")
			}
		})
	}
	t.Cleanup(func() {
		if leaked.Load() {
			t.Error("the end of a redirect got the credentials")
		}
	})
}

func TestContextEndsAReadThatWaits(t *testing.T) {
	s := source(t, fake(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), kubesource.Options{})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	n := 0
	for _, err := range s.Read(ctx, &reading.Query{}) {
		n++
		if err == nil || !strings.Contains(err.Error(), context.DeadlineExceeded.Error()) {
			t.Errorf("error %v", err)
		}
	}
	if n != 1 {
		t.Errorf("%d results, want one error", n)
	}
}

func TestWrongOptionsAreRefused(t *testing.T) {
	for _, size := range []int{-1, 10_001} {
		if _, err := kubesource.New("a", &rest.Config{}, kubesource.Options{PageSize: size}); err == nil || !strings.Contains(err.Error(), "PageSize") {
			t.Errorf("%d: %v", size, err)
		}
	}
	if _, err := kubesource.New("a", nil, kubesource.Options{}); err == nil {
		t.Error("no configuration is fine")
	}
}
