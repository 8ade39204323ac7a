package auditctrl_test

import (
	"context"
	"fmt"

	admissionv1 "k8s.io/api/admission/v1"
	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/paddock-dev/audit/adapters/auditctrl"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
)

func ExampleAdmission() {
	var sink sinktest.Recorder // yours stores them
	hook := &admission.Webhook{Handler: auditctrl.Admission(admission.HandlerFunc(
		func(ctx context.Context, req admission.Request) admission.Response {
			ae := auditing.NewPolicyApplied(auditing.AdmissionInput{Namespace: req.Namespace, RunName: req.Name, Reason: "fits"})
			if err := sink.Write(ctx, ae); err != nil {
				return admission.Errored(503, err)
			}
			return admission.Allowed("fits")
		},
	))}

	// What an API server sends.
	resp := hook.Handle(context.Background(), admission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
		UID: "7f3a", Operation: admissionv1.Create, Namespace: "team-a", Name: "hr-1",
		Resource: metav1.GroupVersionResource{Version: "v1", Resource: "configmaps"},
		UserInfo: authenticationv1.UserInfo{Username: "alice", Groups: []string{"operators"}},
	}})
	event := sink.Events()[0]
	fmt.Println(event.Spec.Actor.User, event.Spec.Request.Verb, event.Spec.Object.Resource, event.Spec.Object.Name)
	fmt.Println(resp.AuditAnnotations["audit-event"] == event.Namespace+"/"+event.Name)
	// Output:
	// alice CREATE configmaps hr-1
	// true
}
