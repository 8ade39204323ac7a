package kubeseal_test

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/sinks/seal/kubeseal"
)

// Two components tell of their trails on one board, a ConfigMap that deploy/ makes. The client is a fake here.
func Example() {
	heads := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "audit-system", Name: "audit-heads"}}
	c := fake.NewClientBuilder().WithObjects(heads).Build()
	board, err := kubeseal.NewBoard(c, kubeseal.BoardOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	for _, component := range []string{"broker", "proxy"} {
		sink, err := seal.New(&sinktest.Recorder{}, seal.Options{Component: component, Board: board})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(sink.Write(ctx, auditing.NewRunCompleted(auditing.RunDecisionInput{RunName: "hr-1", Namespace: "team-a"})), sink.Close(ctx))
	}
	if err := c.Get(ctx, client.ObjectKeyFromObject(heads), heads); err != nil {
		fmt.Println(err)
		return
	}
	for trail := range heads.Data {
		component, _, _ := strings.Cut(trail, ".")
		fmt.Println("a head of", component)
	}
	// Unordered output:
	// <nil> <nil>
	// <nil> <nil>
	// a head of broker
	// a head of proxy
}

// In a pod, the API server vouches for the trail: no key is made, mounted or rotated.
func ExampleNewTokenAuthority() {
	c, err := client.New(ctrl.GetConfigOrDie(), client.Options{}) // with the account of the pod
	if err != nil {
		fmt.Println(err)
		return
	}
	authority, err := kubeseal.NewTokenAuthority(c, kubeseal.TokenOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	sink, err := seal.New(&sinktest.Recorder{}, seal.Options{Component: "broker", Authority: authority})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(auditing.Chain(sink), sink.Close(context.Background()))
}
