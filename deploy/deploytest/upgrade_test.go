package deploytest

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	kubesink "github.com/paddock-dev/audit/sinks/kube"
)

// ofOlderComponent is an event as a component wrote it that knew no facts.
const ofOlderComponent = `{"apiVersion":"paddock.dev/v1alpha1","kind":"AuditEvent",
"metadata":{"name":"ae-credential-01jz0000000000000000000000-broker","namespace":"NS",
"labels":{"paddock.dev/component":"broker","paddock.dev/decision":"granted","paddock.dev/kind":"credential-issued","paddock.dev/run":"hr-1"},
"annotations":{"paddock.dev/timestamp":"2026-06-01T12:00:00.123456789Z"}},
"spec":{"runRef":{"name":"hr-1"},"decision":"granted","kind":"credential-issued","timestamp":"2026-06-01T12:00:00Z",
"credential":{"name":"DEMO_TOKEN","provider":"vault"},"reason":"policy demo allows it"}}`

func TestPoliciesAdmitTheEventOfAnOlderComponent(t *testing.T) {
	namespace := kube.Namespace(t)
	sink := emitter(t, namespace, "broker")
	older := &unstructured.Unstructured{}
	must(t, older.UnmarshalJSON([]byte(strings.Replace(ofOlderComponent, "NS", namespace, 1))))
	must(t, clientOf(t, sink).Create(t.Context(), older.DeepCopy()))
	checkStored(t, namespace, 1)

	asAnother := older.DeepCopy()
	asAnother.SetName("ae-credential-01jz0000000000000000000001-broker")
	bind(t, "audit-emitter", "", account(namespace, "attacker"))
	attacker := serviceAccount(t, namespace, "attacker")
	eventually(t, func() error { return attacker.Create(t.Context(), newEvent(namespace, ""), client.DryRunAll) })
	checkRefusal(t, attacker.Create(t.Context(), asAnother), wanted{writersPolicy, []string{"broker"}})

	// The sink of a newer component knows it for the same event.
	ae := &v1alpha1.AuditEvent{}
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(older), ae))
	ae.ResourceVersion, ae.UID, ae.ManagedFields = "", "", nil
	retry := kubesink.Sink{Client: admin, Component: "broker"}
	setMapping(t, nil) // the administrator is no broker
	eventually(t, func() error { return retry.Write(t.Context(), ae) })
	checkStored(t, namespace, 1)
}

// largest returns facts at the bounds of the schema, in characters that take three bytes.
func largest() auditing.Facts {
	long := strings.Repeat("日", v1alpha1.MaxNameLength)
	fact := strings.Repeat("本", v1alpha1.MaxFactLength)
	f := auditing.Facts{
		Actor:   &v1alpha1.AuditActor{User: long, ServiceAccount: long, SourceAddress: fact, UserAgent: long},
		Object:  &v1alpha1.AuditObject{Group: fact, Resource: fact, Namespace: fact, Name: long, UID: fact, Subresource: fact},
		Request: &v1alpha1.AuditRequest{ID: fact, Verb: fact},
		Trace:   &v1alpha1.AuditTrace{TraceID: fact, SpanID: fact},
	}
	for range v1alpha1.MaxActorGroups {
		f.Actor.Groups = append(f.Actor.Groups, fact)
	}
	return f
}

func TestTheLargestFactsAreAdmittedAndNeverChange(t *testing.T) {
	namespace := kube.Namespace(t)
	sink := emitter(t, namespace, "broker")
	detail := map[string]string{}
	for i := range v1alpha1.MaxDetailEntries {
		detail[fmt.Sprintf("%0*d", v1alpha1.MaxDetailKeyLength, i)] = strings.Repeat("d", v1alpha1.MaxDetailValueLength)
	}
	ae := auditing.NewEvent(auditing.EventInput{Namespace: namespace, Kind: "run-failed", Decision: "denied", RunName: "hr-1", Detail: detail})
	must(t, sink.Write(auditing.With(t.Context(), largest()), ae))
	stored := &v1alpha1.AuditEvent{}
	must(t, admin.Get(t.Context(), client.ObjectKeyFromObject(ae), stored))
	if s := stored.Spec; len(s.Actor.Groups) != v1alpha1.MaxActorGroups || *s.Object != *ae.Spec.Object || *s.Request != *ae.Spec.Request || *s.Trace != *ae.Spec.Trace {
		t.Errorf("stored is %+v %+v %+v %+v", s.Actor, s.Object, s.Request, s.Trace)
	}

	for name, change := range map[string]func(*v1alpha1.AuditEventSpec){
		"another user":   func(s *v1alpha1.AuditEventSpec) { s.Actor.User = "mallory" },
		"no groups":      func(s *v1alpha1.AuditEventSpec) { s.Actor.Groups = nil },
		"another object": func(s *v1alpha1.AuditEventSpec) { s.Object.Name = "other" },
		"no request":     func(s *v1alpha1.AuditEventSpec) { s.Request = nil },
		"another trace":  func(s *v1alpha1.AuditEventSpec) { s.Trace.SpanID = "1" },
	} {
		changed := stored.DeepCopy()
		change(&changed.Spec)
		if err := admin.Update(t.Context(), changed); err == nil || !strings.Contains(err.Error(), "spec is immutable") {
			t.Errorf("%s: %v", name, err)
		}
	}
	stored.Labels["reviewed-by"] = "alice" // the rules compare all of spec, within their cost
	must(t, admin.Update(t.Context(), stored))

	tooLong := newEvent(namespace, "broker")
	tooLong.Spec.Actor = &v1alpha1.AuditActor{SourceAddress: strings.Repeat("x", v1alpha1.MaxFactLength+1)}
	if err := sink.Client.Create(t.Context(), tooLong); !apierrors.IsInvalid(err) {
		t.Errorf("an address beyond the schema: %v", err)
	}
}
