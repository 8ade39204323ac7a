package auditctrl_test

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/paddock-dev/audit/adapters/auditctrl"
	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

func applied(name string) *v1alpha1.AuditEvent {
	ae := auditing.NewPolicyApplied(auditing.AdmissionInput{Namespace: "team-a", RunName: "hr-1", Reason: "fits"})
	ae.Name = name
	return ae
}

// admit hands req to a handler that writes the events to sink.
func admit(t *testing.T, sink auditing.Sink, req admissionv1.AdmissionRequest, events ...*v1alpha1.AuditEvent) admission.Response {
	t.Helper()
	return auditctrl.Admission(admission.HandlerFunc(func(ctx context.Context, _ admission.Request) admission.Response {
		for _, ae := range events {
			if err := sink.Write(ctx, ae); err != nil {
				t.Error(err)
			}
		}
		return admission.Allowed("")
	})).Handle(t.Context(), admission.Request{AdmissionRequest: req})
}

func TestAdmissionRequestIsInItsEvents(t *testing.T) {
	pods := metav1.GroupVersionResource{Version: "v1", Resource: "pods"}
	object := func(uid string) runtime.RawExtension {
		return runtime.RawExtension{Raw: []byte(`{"metadata":{"name":"web-1","uid":"` + uid + `"},"spec":{"uid":"x"}}`)}
	}
	for name, test := range map[string]struct {
		req  admissionv1.AdmissionRequest
		want v1alpha1.AuditObject
	}{
		"create": {
			admissionv1.AdmissionRequest{Operation: "CREATE", Resource: pods, Namespace: "team-a", Name: "web-1", Object: object("u1")},
			v1alpha1.AuditObject{Resource: "pods", Namespace: "team-a", Name: "web-1", UID: "u1"},
		},
		"update": {
			admissionv1.AdmissionRequest{Operation: "UPDATE", Resource: pods, Namespace: "team-a", Name: "web-1", Object: object("u2"), OldObject: object("u1")},
			v1alpha1.AuditObject{Resource: "pods", Namespace: "team-a", Name: "web-1", UID: "u1"},
		},
		"delete": {
			admissionv1.AdmissionRequest{Operation: "DELETE", Resource: pods, Namespace: "team-a", Name: "web-1", OldObject: object("u1")},
			v1alpha1.AuditObject{Resource: "pods", Namespace: "team-a", Name: "web-1", UID: "u1"},
		},
		"a subresource with an object of its own": {
			admissionv1.AdmissionRequest{Operation: "CREATE", Resource: pods, Namespace: "team-a", Name: "web-1", SubResource: "eviction", Object: object("forged")},
			v1alpha1.AuditObject{Resource: "pods", Namespace: "team-a", Name: "web-1", Subresource: "eviction"},
		},
		"a cluster-wide object of a group": {
			admissionv1.AdmissionRequest{
				Operation: "UPDATE", Resource: metav1.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}, Name: "admin",
			},
			v1alpha1.AuditObject{Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: "admin"},
		},
		"an object that is no JSON": {
			admissionv1.AdmissionRequest{Operation: "CREATE", Resource: pods, Object: runtime.RawExtension{Raw: []byte("{")}},
			v1alpha1.AuditObject{Resource: "pods"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			test.req.UID = "7f3a"
			test.req.UserInfo = authenticationv1.UserInfo{Username: "system:serviceaccount:team-a:ci", UID: "s", Groups: []string{"g1", "g2"}}
			var sink sinktest.Recorder
			resp := admit(t, &sink, test.req, applied(""))
			stored := sink.Events()[0]
			got := stored.Spec
			wantActor := &v1alpha1.AuditActor{User: "system:serviceaccount:team-a:ci", Groups: []string{"g1", "g2"}, ServiceAccount: "team-a/ci"}
			if !reflect.DeepEqual(got.Actor, wantActor) {
				t.Errorf("actor %+v", got.Actor)
			}
			if !reflect.DeepEqual(got.Object, &test.want) {
				t.Errorf("object %+v, want %+v", got.Object, test.want)
			}
			if want := (v1alpha1.AuditRequest{ID: "7f3a", Verb: string(test.req.Operation)}); *got.Request != want {
				t.Errorf("request %+v, want %+v", got.Request, want)
			}
			if got := resp.AuditAnnotations; !reflect.DeepEqual(got, map[string]string{"audit-event": "team-a/" + stored.Name}) {
				t.Errorf("annotations %v", got)
			}
		})
	}
}

func TestDryRunRequestLeavesNoEventAndNamesNone(t *testing.T) {
	var sink sinktest.Recorder
	resp := admit(t, &sink, admissionv1.AdmissionRequest{DryRun: new(true)}, applied("a"))
	if n := len(sink.Events()); n != 0 || resp.AuditAnnotations != nil {
		t.Errorf("%d events, annotations %v", n, resp.AuditAnnotations)
	}
	if admit(t, &sink, admissionv1.AdmissionRequest{DryRun: new(false)}, applied("a")); len(sink.Events()) != 1 {
		t.Error("a request that is no dry run leaves no event")
	}
}

func TestAnnotationIsBoundedVisibly(t *testing.T) {
	for name, test := range map[string]struct {
		events int
		length int // of each name
		kept   int
		mark   string
	}{
		"none":       {0, 1, 0, ""},
		"two":        {2, 10, 2, ""},
		"as many":    {16, 10, 16, ""},
		"too many":   {20, 10, 16, ",…[4 more events]"},
		"too long":   {16, 253, 15, ",…[1 more events]"},
		"very long":  {100, 253, 15, ",…[85 more events]"},
		"twice each": {-3, 10, 3, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var events []*v1alpha1.AuditEvent
			for i := range max(test.events, -test.events) {
				ae := applied(fmt.Sprintf("%0*d", test.length, i))
				events = append(events, ae)
				if test.events < 0 {
					events = append(events, ae)
				}
			}
			var sink sinktest.Recorder
			value := admit(t, &sink, admissionv1.AdmissionRequest{}, events...).AuditAnnotations["audit-event"]
			list, ok := strings.CutSuffix(value, test.mark)
			if n := strings.Count(list, "team-a/"); !ok || n != test.kept || len(value) > 4096+64 {
				t.Errorf("%d names in %d bytes: %s", n, len(value), value)
			}
		})
	}
}

func TestAHandlersOwnAnnotationsStay(t *testing.T) {
	var sink sinktest.Recorder
	shared := map[string]string{"policy": "p1"}
	own := map[string]string{"audit-event": "mine"}
	for _, test := range []struct{ set, want map[string]string }{
		{shared, map[string]string{"policy": "p1", "audit-event": "team-a/a"}},
		{own, map[string]string{"audit-event": "mine"}},
	} {
		resp := auditctrl.Admission(admission.HandlerFunc(func(ctx context.Context, _ admission.Request) admission.Response {
			if err := sink.Write(ctx, applied("a")); err != nil {
				t.Error(err)
			}
			resp := admission.Allowed("")
			resp.AuditAnnotations = test.set
			return resp
		})).Handle(t.Context(), admission.Request{})
		sink.Reset()
		if !reflect.DeepEqual(resp.AuditAnnotations, test.want) {
			t.Errorf("got %v, want %v", resp.AuditAnnotations, test.want)
		}
	}
	if len(shared) != 1 {
		t.Errorf("the handler's map has become %v", shared)
	}
}

// A handler may also leave goroutines behind that write after it has returned.
func TestHandlersMayWriteFromSeveralGoroutines(t *testing.T) {
	var sink sinktest.Recorder
	late, done := make(chan struct{}), sync.WaitGroup{}
	handler := auditctrl.Admission(admission.HandlerFunc(func(ctx context.Context, _ admission.Request) admission.Response {
		var early sync.WaitGroup
		for i := range 8 {
			early.Go(func() { _ = sink.Write(ctx, applied(fmt.Sprint("early-", i))) })
			done.Go(func() {
				<-late
				_ = sink.Write(ctx, applied(fmt.Sprint("late-", i)))
			})
		}
		early.Wait()
		return admission.Allowed("")
	}))
	resp := handler.Handle(t.Context(), admission.Request{})
	close(late)
	value := resp.AuditAnnotations["audit-event"]
	done.Wait()
	if n := strings.Count(value, "team-a/early-"); n != 8 || strings.Contains(value, "late") {
		t.Errorf("%d of 8 events are named: %s", n, value)
	}
	if n := len(sink.Events()); n != 16 {
		t.Errorf("%d events, want 16", n)
	}
}
