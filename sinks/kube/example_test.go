package kube_test

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/kube"
)

// A component writes with the client that it has. This one is a fake; a manager's is mgr.GetClient().
func Example() {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		fmt.Println(err)
		return
	}
	c := fake.NewClientBuilder().WithScheme(scheme).Build()
	sink := kube.Sink{Client: c, Component: "broker", Reader: c} // a real server needs no Reader: the fake ignores dry-run patches
	fmt.Println(auditing.Chain(sink), "is", sink.Level())

	ctx := context.Background()
	ae := auditing.NewCredentialDenied(auditing.CredentialDeniedInput{
		RunName: "hr-1", Namespace: "team-a", CredentialName: "ROOT_TOKEN", Reason: "no policy allows it",
	})
	for range 2 { // again, as after a timeout
		if err := sink.Write(ctx, ae); err != nil {
			fmt.Println(err)
			return
		}
	}

	var stored v1alpha1.AuditEventList
	if err := c.List(ctx, &stored, client.InNamespace("team-a"), client.MatchingLabels{v1alpha1.LabelRun: auditing.RunLabel("hr-1")}); err != nil {
		fmt.Println(err)
		return
	}
	for _, event := range stored.Items {
		fmt.Println(event.Labels[v1alpha1.LabelComponent], event.Spec.Decision, event.Spec.Credential.Name)
	}
	// Output:
	// kube is acknowledged
	// broker denied ROOT_TOKEN
}
