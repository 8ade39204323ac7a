// Package deploytest proves what stands in deploy/ against a real API server: it renders the kustomizations as kubectl
// does, applies them to an empty server, and acts as everybody who may and may not touch an audit event.
package deploytest
