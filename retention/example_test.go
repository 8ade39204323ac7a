package retention_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/retention"
	"github.com/paddock-dev/audit/sinks/loki"
	"github.com/paddock-dev/audit/sinks/retry"
)

// In a manager of your own the elected replica reaps, and stores each event in Loki
// before it deletes it.
func ExampleNew() {
	mgr, err := ctrl.NewManager(ctrl.GetConfigOrDie(), ctrl.Options{LeaderElection: true, LeaderElectionID: "my-controller"})
	if err != nil {
		log.Fatal(err)
	}
	lake, err := loki.New("http://loki:3100", loki.Options{})
	if err != nil {
		log.Fatal(err)
	}
	archive, err := retry.New(lake, retry.Options{Within: 10 * time.Second}) // a pass ends when the archive fails often
	if err != nil {
		log.Fatal(err)
	}
	policy := retention.Policy{
		Default: 14 * 24 * time.Hour,
		Rules:   []retention.Rule{{Kind: v1alpha1.AuditKindEgressAllow, Keep: 36 * time.Hour}},
	}
	reaper, err := retention.New(mgr.GetConfig(), policy, retention.Options{
		Archive: archive, Registerer: metrics.Registry,
		Namespace: "audit-system", // where audit-reaper looks for others, too
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := mgr.Add(reaper); err != nil {
		log.Fatal(err)
	}
	ctx := ctrl.SetupSignalHandler()
	err = mgr.Start(ctx)
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := errors.Join(err, archive.Close(closing)); err != nil {
		log.Print(err)
	}
}

// What would go now, without a change to anything.
func ExampleReaper_Preview() {
	reaper, err := retention.New(ctrl.GetConfigOrDie(), retention.Policy{}, retention.Options{})
	if err != nil {
		log.Fatal(err)
	}
	sum, err := reaper.Preview(context.Background(), func(ae *v1alpha1.AuditEvent) {
		fmt.Println(ae.Namespace, ae.Name, ae.Spec.Kind)
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(sum.Expired, "of", sum.Seen)
}

func ExampleParsePolicy() {
	policy, err := retention.ParsePolicy("retention.yaml", []byte("default: 30d\nrules:\n  - {kind: egress-allow, keep: 36h}\n"))
	fmt.Println(policy.Default, policy.Rules[0].Keep, err)
	_, err = retention.ParsePolicy("retention.yaml", []byte("default: 30d\nrules:\n  - {kind: egress-allow, keep: 1h}\n"))
	fmt.Println(err)
	// Output:
	// 720h0m0s 36h0m0s <nil>
	// retention.yaml:3: rules[0].keep: is too short: want at least 1d, which no configuration goes under
}

// One pass without a manager, as from a job.
func ExampleReaper_Pass() {
	cfg, err := rest.InClusterConfig()
	if err != nil {
		log.Fatal(err)
	}
	reaper, err := retention.New(cfg, retention.Policy{Default: 7 * 24 * time.Hour}, retention.Options{})
	if err != nil {
		log.Fatal(err)
	}
	sum, err := reaper.Pass(context.Background())
	fmt.Println(sum.Deleted, "deleted", err)
}
