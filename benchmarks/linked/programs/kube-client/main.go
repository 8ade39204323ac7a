// The program kube-client has a client of the API server and no trail: most of what the program kube links, which a
// controller has anyway.
package main

import (
	"os"

	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func main() {
	config, err := rest.InClusterConfig()
	if err == nil {
		_, err = client.New(config, client.Options{})
	}
	if err != nil {
		os.Exit(1)
	}
}
