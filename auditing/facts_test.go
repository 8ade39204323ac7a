package auditing_test

import (
	"reflect"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

func TestWithAddsToTheFactsOfTheContext(t *testing.T) {
	ctx := auditing.With(t.Context(), auditing.Facts{
		Actor:   &v1alpha1.AuditActor{User: "proxy", Groups: []string{"proxies"}, SourceAddress: "192.0.2.7", UserAgent: "curl"},
		Request: &v1alpha1.AuditRequest{ID: "1"},
		Object:  &v1alpha1.AuditObject{Resource: "pods", Name: "a", UID: "u"},
	})
	ctx = auditing.With(ctx, auditing.Facts{
		Actor:   &v1alpha1.AuditActor{User: "alice"},
		Request: &v1alpha1.AuditRequest{Verb: "POST"},
		Object:  &v1alpha1.AuditObject{Resource: "secrets", Name: "b"},
		Trace:   &v1alpha1.AuditTrace{},
	})
	want := auditing.Facts{
		// The groups were the proxy's.
		Actor:   &v1alpha1.AuditActor{User: "alice", SourceAddress: "192.0.2.7", UserAgent: "curl"},
		Request: &v1alpha1.AuditRequest{ID: "1", Verb: "POST"},
		Object:  &v1alpha1.AuditObject{Resource: "secrets", Name: "b"},
	}
	if got := auditing.FactsFrom(ctx); !reflect.DeepEqual(*got, want) {
		t.Errorf("got %+v %+v %+v %+v", got.Actor, got.Object, got.Request, got.Trace)
	}
}

func TestWithKeepsNothingOfItsArgument(t *testing.T) {
	f := auditing.Facts{Actor: &v1alpha1.AuditActor{User: "alice", Groups: []string{"a", "b"}}}
	ctx := auditing.With(t.Context(), f)
	f.Actor.User, f.Actor.Groups[0] = "mallory", "admins"
	if got := auditing.FactsFrom(ctx).Actor; got.User != "alice" || got.Groups[0] != "a" {
		t.Errorf("the context has %+v", got)
	}
}

func TestAServiceAccountIsReadFromTheUser(t *testing.T) {
	for user, want := range map[string]string{
		"system:serviceaccount:team-a:deployer": "team-a/deployer",
		"alice":                                 "",
	} {
		ctx := auditing.With(t.Context(), auditing.Facts{Actor: &v1alpha1.AuditActor{User: user}})
		if got := auditing.FactsFrom(ctx).Actor.ServiceAccount; got != want {
			t.Errorf("%s: %q, want %q", user, got, want)
		}
	}
}

func TestWithoutFactsThereAreNone(t *testing.T) {
	if f := auditing.FactsFrom(t.Context()); f != nil {
		t.Errorf("%+v", f)
	}
	empty := auditing.Facts{Actor: &v1alpha1.AuditActor{}, Object: &v1alpha1.AuditObject{}, Request: &v1alpha1.AuditRequest{}}
	if f := auditing.FactsFrom(auditing.With(t.Context(), empty)); !reflect.DeepEqual(*f, auditing.Facts{}) {
		t.Errorf("%+v", f)
	}
}
