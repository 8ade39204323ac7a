// Package kubesource reads audit events from the API server, where they are AuditEvent
// objects.
//
//	cluster, err := kubesource.New("cluster", cfg, kubesource.Options{})
//	if err != nil {
//		return err
//	}
//	for record, err := range cluster.Read(ctx, &reading.Query{Namespaces: []string{"team-a"}}) {
//
// The account of cfg needs the verb list on auditevents, and for Follow the verb watch: in
// the namespaces that a query names, or in all where it names none.
//
// The API server selects by namespace, by one name, and by the labels that repeat
// component, kind, decision and run. So an event whose labels say something else than its
// spec, which the admission policy audit-events-labels does not let in, is found only by a
// query without that condition. All other conditions are held against each event here.
package kubesource
