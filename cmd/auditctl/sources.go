package main

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/reading/vlsource"
)

const (
	// operandsOfFiles is what the usage calls the arguments that name files.
	operandsOfFiles = "FILE..."
	stdin           = "-"
)

// The names of places that are no files.
const (
	placeCluster      = "cluster"
	placeLoki         = "loki"
	placeVictoriaLogs = "victorialogs"
)

var errNoSource = errors.New("no source: name the files to read, or - for standard input, or give --kube, --loki, --victorialogs or --spool")

// sources makes the sources that a command reads. Nothing else makes any.
type sources struct {
	env *environment
	cmd *cobra.Command

	kube         bool
	kubeconfig   string
	overrides    clientcmd.ConfigOverrides
	kubeFlags    []string // those of kubectl
	loki         string
	victorialogs string
	tenant       string
	spools       []string
}

// addSources adds the flags that name sources.
func addSources(env *environment, cmd *cobra.Command) *sources {
	s := &sources{env: env, cmd: cmd}
	f := cmd.Flags()
	f.BoolVar(&s.kube, "kube", false, "read the API server, as any of kubectl's flags says as well")
	f.StringVar(&s.loki, "loki", "", "read the Loki at this `URL`")
	f.StringVar(&s.victorialogs, "victorialogs", "", "read the VictoriaLogs at this `URL`")
	f.StringVar(&s.tenant, "tenant", "", "`tenant` of Loki or VictoriaLogs")
	f.StringSliceVar(&s.spools, "spool", nil, "read what waits in these spool `directories`, and their dead letters")

	kubectl := pflag.NewFlagSet("kubectl", pflag.ContinueOnError)
	kubectl.StringVar(&s.kubeconfig, "kubeconfig", "", "`file` that says where the API server is; $KUBECONFIG or ~/.kube/config when empty")
	named := clientcmd.RecommendedConfigOverrideFlags("")
	named.ContextOverrideFlags.Namespace = clientcmd.FlagInfo{} // --namespace narrows the query
	clientcmd.BindOverrideFlags(&s.overrides, kubectl, named)
	kubectl.VisitAll(func(flag *pflag.Flag) { s.kubeFlags = append(s.kubeFlags, flag.Name) })
	f.AddFlagSet(kubectl)
	return s
}

// open returns the sources of a command whose arguments are files, which are one source.
func (s *sources) open(paths []string) ([]reading.Source, error) {
	all, err := s.servers(len(paths) == 0)
	if err != nil {
		return nil, err
	}
	if len(paths) == 0 && len(all) == 0 {
		return nil, misuse(s.cmd, errNoSource)
	}
	if err := s.once(paths); err != nil {
		return nil, err
	}
	if len(paths) > 0 {
		all = append(all, reading.FilesWithInput("files", s.env.in, paths...))
	}
	return all, nil
}

// each returns a source for each of the arguments, and the servers that flags name.
func (s *sources) each(paths []string) ([]reading.Source, error) {
	all, err := s.servers(false)
	if err != nil {
		return nil, err
	}
	if err := s.once(paths); err != nil {
		return nil, err
	}
	for _, path := range paths {
		all = append(all, reading.FilesWithInput(path, s.env.in, path))
	}
	return all, nil
}

// servers returns the sources that flags name. A plugin of kubectl reads the API server
// where nothing else is named.
func (s *sources) servers(alone bool) (all []reading.Source, err error) {
	add := func(source reading.Source, made error) {
		if made != nil {
			err = errors.Join(err, misuse(s.cmd, made))
			return
		}
		all = append(all, source)
	}
	if s.loki != "" {
		add(lokisource.New(placeLoki, s.loki, lokisource.Options{TenantID: s.tenant}))
	}
	if s.victorialogs != "" {
		add(vlsource.New(placeVictoriaLogs, s.victorialogs, vlsource.Options{TenantID: s.tenant}))
	}
	for _, dir := range s.spools {
		add(reading.Spool(placeOfSpool(dir), dir), nil)
	}
	asked := s.kube || slices.ContainsFunc(s.kubeFlags, s.cmd.Flags().Changed)
	if asked || alone && len(all) == 0 && s.env.name == pluginFile {
		cluster, made := s.cluster()
		add(cluster, made)
	}
	return all, err
}

// cluster returns the API server that kubectl's flags name.
func (s *sources) cluster() (reading.Source, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = s.kubeconfig
	cfg, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &s.overrides).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("which API server to read: %w", err)
	}
	return kubesource.New(placeCluster, cfg, kubesource.Options{})
}

// once returns an error when an argument occurs twice.
func (s *sources) once(paths []string) error {
	for i, path := range paths {
		if slices.Contains(paths[:i], path) {
			return misuse(s.cmd, fmt.Errorf("%s is named twice", path))
		}
	}
	return nil
}

func placeOfSpool(dir string) string { return "spool " + dir }

// followers returns the sources as those that can be followed.
func followers(all []reading.Source) ([]reading.Follower, error) {
	list := make([]reading.Follower, len(all))
	for i, s := range all {
		f, ok := s.(reading.Follower)
		if !ok {
			return nil, fmt.Errorf("the source %s cannot be followed", s.Name())
		}
		list[i] = f
	}
	return list, nil
}
