// Package kubeseal has the parts of sinks/seal that need an API server of Kubernetes.
//
// A TokenAuthority has the cluster vouch for trails: a component that runs as a service account
// needs no key file.
//
//	authority, err := kubeseal.NewTokenAuthority(mgr.GetClient(), kubeseal.TokenOptions{})
//	sink, err := seal.New(next, seal.Options{Component: "broker", Cluster: "prod", Authority: authority})
//
// A Board is a ConfigMap on which trails learn of each other's heads: Options.Board of the seal takes it.
package kubeseal
