// The program kube writes its trail to the API server, with a client of its own.
package main

import (
	"context"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/kube"
)

func main() {
	if err := run(); err != nil {
		os.Exit(1)
	}
}

func run() error {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return err
	}
	config, err := rest.InClusterConfig()
	if err != nil {
		return err
	}
	c, err := client.New(config, client.Options{Scheme: scheme})
	if err != nil {
		return err
	}
	ae := auditing.NewRunFailed(auditing.RunDecisionInput{RunName: "run-1", Namespace: "team-a"})
	return kube.Sink{Client: c, Component: "size"}.Write(context.Background(), ae)
}
