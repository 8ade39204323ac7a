package kubesource_test

import (
	"context"
	"fmt"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
)

// Prints what the cluster of the kubeconfig denied in the last hour, and then what it
// denies.
func Example() {
	cfg, err := clientcmd.BuildConfigFromFlags("", clientcmd.RecommendedHomeFile)
	if err != nil {
		fmt.Println(err)
		return
	}
	cluster, err := kubesource.New("cluster", cfg, kubesource.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	q := &reading.Query{Since: time.Now().Add(-time.Hour), Decisions: []v1alpha1.AuditDecision{v1alpha1.AuditDecisionDenied}}
	for record, err := range reading.Follow(context.Background(), q, cluster) {
		if err != nil {
			fmt.Println(err) // it goes on
			continue
		}
		fmt.Println(record.Time.Format(time.RFC3339), record.Event.Namespace, record.Event.Spec.Reason)
	}
}
