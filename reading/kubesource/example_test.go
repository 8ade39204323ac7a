package kubesource_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"k8s.io/client-go/rest"
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

// The server of this example stands for an API server that has one event.
func ExampleSource_Read() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println(r.Method, r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"apiVersion":"paddock.dev/v1alpha1","kind":"AuditEventList","metadata":{"resourceVersion":"7"},"items":[
			{"metadata":{"name":"ae-1","namespace":"team-a","labels":{"paddock.dev/component":"proxy"}},
			 "spec":{"decision":"denied","kind":"egress-block","timestamp":"2026-04-25T12:00:05Z","reason":"no rule allows it"}}]}`)
	}))
	defer server.Close()
	cluster, err := kubesource.New("cluster", &rest.Config{Host: server.URL}, kubesource.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for record, err := range cluster.Read(context.Background(), &reading.Query{Namespaces: []string{"team-a"}}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(record.Source, record.Event.Name, record.Event.Spec.Reason)
	}
	// Output:
	// GET /apis/paddock.dev/v1alpha1/namespaces/team-a/auditevents
	// cluster ae-1 no rule allows it
}
