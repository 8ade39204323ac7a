package scenario

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

func denied(ae v1alpha1.AuditEvent) bool { return ae.Spec.Decision == v1alpha1.AuditDecisionDenied }

// printEvents prints a table, in the order of the decisions.
func printEvents(out io.Writer, events []v1alpha1.AuditEvent) {
	slices.SortFunc(events, func(a, b v1alpha1.AuditEvent) int {
		if c := auditing.EventTime(&a).Compare(auditing.EventTime(&b)); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	table := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(table, "  WHEN\tDECISION\tKIND\tDESTINATION\tREASON")
	for i := range events {
		s := &events[i].Spec
		decision := string(s.Decision)
		if denied(events[i]) {
			decision = strings.ToUpper(decision)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\n",
			auditing.EventTime(&events[i]).UTC().Format("15:04:05.000000"), decision, s.Kind,
			net.JoinHostPort(s.Destination.Host, fmt.Sprint(s.Destination.Port)), s.Reason)
	}
	_ = table.Flush()
}

func printEvent(out io.Writer, ae *v1alpha1.AuditEvent) {
	ae = ae.DeepCopy()
	ae.ManagedFields = nil // the API server's notes on who set which field
	text, err := json.MarshalIndent(ae, "  ", "  ")
	if err != nil {
		fmt.Fprintln(out, err)
		return
	}
	fmt.Fprintf(out, "  %s\n", text)
}
