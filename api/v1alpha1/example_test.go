package v1alpha1_test

import (
	"encoding/json"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

// A program that reads events needs this package alone: an event is the same JSON in the API server, in a log and in Loki.
func Example() {
	const line = `{"apiVersion":"paddock.dev/v1alpha1","kind":"AuditEvent",
		"metadata":{"name":"ae-1","namespace":"team-a","labels":{"paddock.dev/component":"proxy"}},
		"spec":{"decision":"denied","kind":"egress-block","timestamp":"2026-04-25T12:00:05Z","destination":{"host":"example.com","port":443}}}`
	var ae v1alpha1.AuditEvent
	if err := json.Unmarshal([]byte(line), &ae); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(ae.Labels[v1alpha1.LabelComponent], ae.Spec.Decision, ae.Spec.Kind, ae.Spec.Destination.Host)
	fmt.Println(slices.Contains(v1alpha1.KnownKinds(), ae.Spec.Kind))
	// Output:
	// proxy denied egress-block example.com
	// true
}

// A client of the API server has to know the type.
func ExampleAddToScheme() {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(scheme.Recognizes(v1alpha1.GroupVersion.WithKind("AuditEvent")))
	// Output: true
}
