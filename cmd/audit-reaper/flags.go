package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
)

// options are what the flags say.
type options struct {
	config                  string
	auditConfig, archive    string
	tombstones, place       string
	metricsAddr, healthAddr string
	leaderElect             bool
	namespace, kubeconfig   string
	dryRun, once, version   bool
}

var (
	// errUsage is wrapped by errors of the arguments.
	errUsage = errors.New("wrong arguments")
	errHelp  = flag.ErrHelp
)

// ownNamespace is where reapers of a cluster find each other.
func ownNamespace() string {
	if namespace := os.Getenv("POD_NAMESPACE"); namespace != "" {
		return namespace
	}
	if text, err := os.ReadFile("/var/run/secrets/kubernetes.io/serviceaccount/namespace"); err == nil && len(text) > 0 {
		return strings.TrimSpace(string(text))
	}
	return "audit-system"
}

func parse(args []string, errOut io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("audit-reaper", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.config, "config", "", "`file` with the retention; 30 days for every event when empty")
	flags.StringVar(&o.auditConfig, "audit-config", "", "audit configuration `file` that has the archive and the sink of the tombstones")
	flags.StringVar(&o.archive, "archive", "", "name of the `sink` in it that must confirm each event before it is deleted")
	flags.StringVar(&o.tombstones, "tombstones", "", "name of the `sink` of type seal in it that takes a tombstone before sealed events are deleted")
	flags.StringVar(&o.place, "place", "", "`name` by which auditors know the API server, for the tombstones; cluster when empty")
	flags.StringVar(&o.metricsAddr, "metrics-addr", ":8080", "`address` of /metrics; 0 for none")
	flags.StringVar(&o.healthAddr, "health-addr", ":8081", "`address` of /healthz and /readyz; 0 for none")
	flags.BoolVar(&o.leaderElect, "leader-elect", false, "work only while holding the lease audit-reaper")
	flags.StringVar(&o.namespace, "namespace", ownNamespace(), "`namespace` of the leases; $POD_NAMESPACE, that of the pod, or audit-system when there is none")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig `file`; $KUBECONFIG, or the pod's own account, when empty")
	flags.BoolVar(&o.dryRun, "dry-run", false, "print what would go by namespace and kind, change nothing, and exit")
	flags.BoolVar(&o.once, "once", false, "make one pass and exit")
	flags.BoolVar(&o.version, "version", false, "print the version and exit")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		flags.SetOutput(errOut)
		flags.PrintDefaults()
		return o, errHelp
	case err != nil:
		return o, fmt.Errorf("%w: %w", errUsage, err)
	case flags.NArg() > 0:
		return o, fmt.Errorf("%w: %q is no flag", errUsage, flags.Arg(0))
	case (o.archive == "" && o.tombstones == "") != (o.auditConfig == ""):
		return o, fmt.Errorf("%w: -audit-config and -archive or -tombstones need each other", errUsage)
	case o.place != "" && o.tombstones == "":
		return o, fmt.Errorf("%w: -place is for tombstones: give -tombstones, or leave it out", errUsage)
	case o.namespace == "":
		return o, fmt.Errorf("%w: -namespace is empty", errUsage)
	case o.dryRun && o.once:
		return o, fmt.Errorf("%w: -dry-run makes one pass without -once", errUsage)
	}
	return o, nil
}
