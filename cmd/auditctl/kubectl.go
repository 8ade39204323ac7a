package main

import (
	"fmt"

	"github.com/spf13/pflag"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// kubectl has the flags of kubectl that name an API server.
type kubectl struct {
	kubeconfig string
	overrides  clientcmd.ConfigOverrides
	names      []string // of the flags
}

// addKubectl adds the flags.
func addKubectl(to *pflag.FlagSet) *kubectl {
	k := &kubectl{}
	flags := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	flags.StringVar(&k.kubeconfig, "kubeconfig", "", "`file` that says where the API server is; $KUBECONFIG or ~/.kube/config when empty")
	named := clientcmd.RecommendedConfigOverrideFlags("")
	named.ContextOverrideFlags.Namespace = clientcmd.FlagInfo{} // --namespace narrows the query
	clientcmd.BindOverrideFlags(&k.overrides, flags, named)
	flags.VisitAll(func(flag *pflag.Flag) { k.names = append(k.names, flag.Name) })
	to.AddFlagSet(flags)
	return k
}

// config returns what a client of the API server needs.
func (k *kubectl) config() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = k.kubeconfig
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &k.overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("which API server to read: %w", err)
	}
	return cfg, nil
}
