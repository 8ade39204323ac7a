package kube_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/kube"
)

// writeSamples writes one event of each of two kinds and runs.
func writeSamples(t *testing.T, c client.Client, ns string) {
	t.Helper()
	sink := kube.Sink{Client: c, Component: "proxy"}
	blocked := auditing.NewEgressBlock(auditing.EgressInput{
		RunName: "hr-2", Namespace: ns, Host: "db.example.com", Port: 22, MatchedPolicy: "demo-policy", Reason: "no policy allows it",
	})
	blocked.Spec.Actor = &v1alpha1.AuditActor{User: "alice"}
	for _, ae := range []*v1alpha1.AuditEvent{issued(ns), blocked} {
		if err := sink.Write(t.Context(), ae); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEventsCanBeSelectedByTheirFields(t *testing.T) {
	server := testenv.SharedKube(t)
	ns, c := server.Namespace(t), newClient(t, server.Config)
	writeSamples(t, c, ns)
	for field, values := range map[string]map[string]int{
		"spec.kind":        {"credential-issued": 1, "egress-block": 1, "egress-allow": 0},
		"spec.decision":    {"granted": 1, "denied": 1, "warned": 0},
		"spec.runRef.name": {"hr-1": 1, "hr-2": 1, "hr-3": 0},
	} {
		for value, want := range values {
			var events v1alpha1.AuditEventList
			if err := c.List(t.Context(), &events, client.InNamespace(ns), client.MatchingFields{field: value}); err != nil {
				t.Fatal(err)
			}
			if len(events.Items) != want {
				t.Errorf("%s=%s: %d events, want %d", field, value, len(events.Items), want)
			}
		}
	}
}

func TestKubectlShowsTheColumnsOfAnEvent(t *testing.T) {
	server := testenv.SharedKube(t)
	ns, c := server.Namespace(t), newClient(t, server.Config)
	writeSamples(t, c, ns)
	plain, err := rest.HTTPClientFor(server.Config)
	if err != nil {
		t.Fatal(err)
	}
	config := rest.CopyConfig(server.Config)
	config.GroupVersion, config.APIPath = &v1alpha1.GroupVersion, "/apis"
	config.NegotiatedSerializer = scheme.Codecs
	api, err := rest.RESTClientForConfigAndClient(config, plain)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := api.Get().Namespace(ns).Resource("auditevents").
		SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").Do(t.Context()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	var table metav1.Table
	if err := json.Unmarshal(answer, &table); err != nil {
		t.Fatal(err)
	}
	var usual, wide []string
	at := map[string]int{}
	for i, column := range table.ColumnDefinitions {
		at[column.Name] = i
		if column.Priority == 0 {
			usual = append(usual, column.Name)
		} else {
			wide = append(wide, column.Name)
		}
	}
	if want := []string{"Name", "Kind", "Decision", "Component", "Run", "Target", "When"}; !slices.Equal(usual, want) {
		t.Errorf("columns %q, want %q", usual, want)
	}
	if want := []string{"Credential", "Policy", "User", "Reason"}; !slices.Equal(wide, want) {
		t.Errorf("wide columns %q, want %q", wide, want)
	}
	found := false
	for _, row := range table.Rows {
		if row.Cells[at["Kind"]] != "egress-block" {
			continue
		}
		found = true
		for column, want := range map[string]string{"Target": "db.example.com", "Policy": "demo-policy", "User": "alice", "Reason": "no policy allows it"} {
			if got := fmt.Sprint(row.Cells[at[column]]); got != want {
				t.Errorf("%s is %s, want %s", column, got, want)
			}
		}
	}
	if !found {
		t.Errorf("no row of the denial: %s", answer)
	}
}
