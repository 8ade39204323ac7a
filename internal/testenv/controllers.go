package testenv

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// StartControllers starts the named controllers of a kube-controller-manager, such as
// "garbage-collector-controller", and returns when it is healthy. Each controller has a service account of its own. The
// controllers end with the server. An unknown name is an error.
func (k *Kube) StartControllers(ctx context.Context, names ...string) error {
	path, err := besideKube("kube-controller-manager")
	if err != nil {
		return err
	}
	kubeconfig := filepath.Join(k.group.dir, "controllers.kubeconfig")
	if err := clientcmd.WriteToFile(k.Kubeconfig(), kubeconfig); err != nil {
		return fmt.Errorf("testenv: write the controllers' kubeconfig: %w", err)
	}
	_, err = onFreePorts(func() (struct{}, error) { return struct{}{}, k.startControllers(ctx, path, kubeconfig, names) })
	return err
}

func (k *Kube) startControllers(ctx context.Context, path, kubeconfig string, names []string) error {
	address, err := freeAddress()
	if err != nil {
		return err
	}
	host, port := splitAddress(address)
	p, err := k.group.start(path,
		"--kubeconfig="+kubeconfig,
		"--controllers="+strings.Join(names, ","),
		"--use-service-account-credentials",
		"--leader-elect=false",
		"--authentication-skip-lookup", // only this process sends it requests
		"--bind-address="+host, "--secure-port="+port,
		"--tls-cert-file="+k.pair.certFile, "--tls-private-key-file="+k.pair.keyFile,
	)
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(rest.AnonymousClientConfig(k.Config))
	if err != nil {
		return fmt.Errorf("testenv: make a client of the controllers: %w", err)
	}
	defer client.CloseIdleConnections()
	get, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/healthz", nil)
	if err != nil {
		return fmt.Errorf("testenv: ask the controllers for their health: %w", err)
	}
	return p.waitReady(ctx, client, get, "")
}

// Kubeconfig returns Config in the form of a file, which clientcmd.WriteToFile writes.
func (k *Kube) Kubeconfig() clientcmdapi.Config {
	const name = "testenv"
	return clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{
			name: {Server: k.Config.Host, CertificateAuthorityData: k.Config.CAData},
		},
		AuthInfos:      map[string]*clientcmdapi.AuthInfo{name: {Token: k.Config.BearerToken}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: name, AuthInfo: name}},
		CurrentContext: name,
	}
}
