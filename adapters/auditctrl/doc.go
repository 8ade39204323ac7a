// Package auditctrl ties an audit trail to a controller-runtime manager: the events of
// its webhooks and controllers say who asked and for which object, its readiness says
// whether the trail takes events, and the trail is closed after the last writer.
//
//	hook := &admission.Webhook{Handler: auditctrl.Admission(handler)}
//	r := auditctrl.Reconciler(schema.GroupResource{Resource: "pods"}, reconciler)
//	err := mgr.AddReadyzCheck("audit", auditctrl.Ready(trail.For("broker")))
//	err = auditctrl.Closing(mgr, trail, 40*time.Second).Start(ctrl.SetupSignalHandler())
package auditctrl
