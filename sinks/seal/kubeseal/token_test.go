package kubeseal_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/yaml"

	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/seal/kubeseal"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newScheme(t *testing.T, add ...func(*runtime.Scheme) error) *runtime.Scheme {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, f := range add {
		must(t, f(scheme))
	}
	return scheme
}

func newClient(t *testing.T, cfg *rest.Config) client.WithWatch {
	t.Helper()
	c, err := client.NewWithWatch(cfg, client.Options{Scheme: newScheme(t, corev1.AddToScheme, authenticationv1.AddToScheme, rbacv1.AddToScheme)})
	must(t, err)
	return c
}

// pod makes a pod of a service account broker in a new namespace, and returns a client with the token
// that the kubelet would give the pod.
func pod(t *testing.T, server *testenv.Kube) (admin, own client.WithWatch, made *corev1.Pod) {
	t.Helper()
	ns := server.Namespace(t)
	admin = newClient(t, server.Config)
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "broker"}}
	must(t, admin.Create(t.Context(), account))
	made = &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "broker-0"},
		Spec:       corev1.PodSpec{ServiceAccountName: "broker", Containers: []corev1.Container{{Name: "broker", Image: "broker"}}},
	}
	must(t, admin.Create(t.Context(), made))
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: made.Name, UID: made.UID},
	}}
	must(t, admin.SubResource("token").Create(t.Context(), account, request))
	cfg := rest.CopyConfig(server.Config)
	cfg.BearerToken = request.Status.Token
	return admin, newClient(t, cfg), made
}

// allow lets the service account broker ask for tokens of its own, by the rules of docs/proof.md.
func allow(t *testing.T, admin client.Client, ns string) {
	t.Helper()
	page, err := os.ReadFile("../../../docs/proof.md")
	must(t, err)
	_, block, _ := strings.Cut(string(page), "```yaml\napiVersion: rbac")
	block, _, _ = strings.Cut("apiVersion: rbac"+block, "```")
	rules := strings.Split(strings.ReplaceAll(block, "audit-system", ns), "---\n")
	role, binding := &rbacv1.Role{}, &rbacv1.RoleBinding{}
	must(t, yaml.UnmarshalStrict([]byte(rules[0]), role))
	must(t, yaml.UnmarshalStrict([]byte(rules[1]), binding))
	must(t, admin.Create(t.Context(), role))
	must(t, admin.Create(t.Context(), binding))
}

func newKey(t *testing.T) string {
	t.Helper()
	_, key, err := trail.NewKey(trail.Origin("prod", "broker", trail.NewID()))
	must(t, err)
	return key
}

// claims returns what a token says.
func claims(t *testing.T, token string) trail.Claims {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	must(t, err)
	c, err := trail.ParseClaims(payload)
	must(t, err)
	return c
}

func TestTokenVouchesForOneKey(t *testing.T) {
	server := testenv.SharedKube(t)
	admin, own, p := pod(t, server)
	a, err := kubeseal.NewTokenAuthority(own, kubeseal.TokenOptions{})
	must(t, err)
	key, end := newKey(t), time.Now().Add(26*time.Hour)
	_, _, err = a.Certify(t.Context(), key, time.Now(), end)
	if err == nil || !strings.Contains(err.Error(), "allow the component to create serviceaccounts/token") {
		t.Fatalf("without the right: %v", err)
	}
	allow(t, admin, p.Namespace)
	var token string
	var until time.Time
	for deadline := time.Now().Add(20 * time.Second); ; { // the API server reads its rules now and then
		if token, until, err = a.Certify(t.Context(), key, time.Now(), end); err == nil || time.Now().After(deadline) {
			break
		}
	}
	must(t, err)
	c := claims(t, token)
	if c.ServiceAccount != p.Namespace+"/broker" || c.Pod != p.Name || c.For(key) != nil || c.For(newKey(t)) == nil {
		t.Errorf("the token says %+v", c)
	}
	if off := until.Sub(end).Abs(); off > 10*time.Second || !until.Equal(c.Expires) {
		t.Errorf("it ends at %v, %v was asked for, and %v is the answer", c.Expires, end, until)
	}
	cfg := rest.CopyConfig(server.Config)
	cfg.BearerToken = token
	if err := newClient(t, cfg).Create(t.Context(), &authenticationv1.SelfSubjectReview{}); err == nil {
		t.Error("the API server accepts the token for itself")
	}
}

func TestTokenOfANamedServiceAccount(t *testing.T) {
	admin, _, p := pod(t, testenv.SharedKube(t))
	for want, o := range map[string]kubeseal.TokenOptions{
		"":     {Namespace: p.Namespace, Name: "broker"},
		p.Name: {Namespace: p.Namespace, Name: "broker", PodName: p.Name, PodUID: p.UID},
	} {
		a, err := kubeseal.NewTokenAuthority(admin, o)
		must(t, err)
		token, _, err := a.Certify(t.Context(), newKey(t), time.Now(), time.Now()) // as short as can be
		must(t, err)
		if c := claims(t, token); c.ServiceAccount != p.Namespace+"/broker" || c.Pod != want || c.Expires.Sub(c.Issued) != 10*time.Minute {
			t.Errorf("the token says %+v, want the pod %q", c, want)
		}
	}
	a, err := kubeseal.NewTokenAuthority(admin, kubeseal.TokenOptions{})
	must(t, err)
	if _, _, err = a.Certify(t.Context(), newKey(t), time.Now(), time.Now()); err == nil || !strings.Contains(err.Error(), `"admin", which is no service account`) {
		t.Errorf("a client that is a user: %v", err)
	}
}

// The answers are those that no API server gives on demand.
func TestTokenThatIsOfNoUseIsRefused(t *testing.T) {
	admin, _, p := pod(t, testenv.SharedKube(t))
	key := newKey(t)
	good := map[string]any{
		"iss": "x", "sub": "system:serviceaccount:" + p.Namespace + ":broker", "aud": []string{trail.TokenAudience(key)},
		"iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
	}
	for want, change := range map[string]func(c map[string]any){
		"":                       func(map[string]any) {},
		"another than the key":   func(c map[string]any) { c["aud"] = "hunter2" },
		"has 2 audiences":        func(c map[string]any) { c["aud"] = []string{trail.TokenAudience(key), "hunter2"} },
		"has 0 audiences":        func(c map[string]any) { delete(c, "aud") },
		"and that of":            func(c map[string]any) { c["sub"] = "system:serviceaccount:hunter:hunter3" },
		"no service account":     func(c map[string]any) { c["sub"] = "hunter2" },
		"from when to when":      func(c map[string]any) { delete(c, "exp") },
		"not those of a token":   func(c map[string]any) { c["exp"] = "hunter2" },
		"behind that of the API": func(c map[string]any) { c["iat"] = time.Now().Add(10 * time.Minute).Unix() },
		"no JWT":                 nil,
	} {
		t.Run(want, func(t *testing.T) {
			token := "hunter2"
			if change != nil {
				c := map[string]any{}
				for k, v := range good {
					c[k] = v
				}
				change(c)
				payload, err := json.Marshal(c)
				must(t, err)
				token = "e30." + base64.RawURLEncoding.EncodeToString(payload) + ".hunter2"
			}
			faulty := interceptor.NewClient(admin, interceptor.Funcs{
				SubResourceCreate: func(_ context.Context, _ client.Client, _ string, _, sub client.Object, _ ...client.SubResourceCreateOption) error {
					sub.(*authenticationv1.TokenRequest).Status.Token = token
					return nil
				},
			})
			a, err := kubeseal.NewTokenAuthority(faulty, kubeseal.TokenOptions{Namespace: p.Namespace, Name: "broker"})
			must(t, err)
			ctx := t.Context()
			_, until, err := a.Certify(ctx, key, time.Now(), time.Now().Add(26*time.Hour))
			switch {
			case want == "" && (err != nil || time.Until(until) > time.Hour):
				t.Errorf("a token that is cut to an hour: until %v, %v", until, err)
			case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2")):
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

func TestTokenAuthorityRefusesWhatCannotWork(t *testing.T) {
	whole := newClient(t, &rest.Config{})
	poor, err := client.New(&rest.Config{}, client.Options{Scheme: newScheme(t, corev1.AddToScheme)})
	must(t, err)
	for want, made := range map[string]func() (*kubeseal.TokenAuthority, error){
		"the client is nil": func() (*kubeseal.TokenAuthority, error) {
			return kubeseal.NewTokenAuthority(nil, kubeseal.TokenOptions{})
		},
		"does not know TokenRequest: add authentication.k8s.io/v1": func() (*kubeseal.TokenAuthority, error) {
			return kubeseal.NewTokenAuthority(poor, kubeseal.TokenOptions{})
		},
		"one of Namespace and Name": func() (*kubeseal.TokenAuthority, error) {
			return kubeseal.NewTokenAuthority(whole, kubeseal.TokenOptions{Name: "broker"})
		},
		"one of PodName and PodUID": func() (*kubeseal.TokenAuthority, error) {
			return kubeseal.NewTokenAuthority(whole, kubeseal.TokenOptions{PodUID: types.UID("x")})
		},
	} {
		if _, err := made(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
