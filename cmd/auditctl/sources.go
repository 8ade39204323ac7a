package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/paddock-dev/audit/reading"
	"github.com/paddock-dev/audit/reading/kubesource"
	"github.com/paddock-dev/audit/reading/lokisource"
	"github.com/paddock-dev/audit/reading/vlsource"
)

const (
	// operandsOfFiles is what the usage calls the arguments that name files.
	operandsOfFiles = "FILE..."
	// operandsOfPlaces is the same for arguments that name files, or sinks of --config.
	operandsOfPlaces = "PLACE..."
	stdin            = "-"
)

// The names of places that are no files.
const (
	placeCluster      = "cluster"
	placeLoki         = "loki"
	placeVictoriaLogs = "victorialogs"
)

var errNoSource = errors.New("no source: name the files to read, or - for standard input, or give --config, --kube, --loki, --victorialogs or --spool")

// sources makes the sources that a command reads. Nothing else makes any.
type sources struct {
	env *environment
	cmd *cobra.Command

	config    string
	from      []string      // sinks of config
	following bool          // the sources are to be followed
	overlap   time.Duration // how late an event may be stored to be followed; 0 for the default

	kube         bool
	kubectl      *kubectl
	kubectlUsed  bool // by a sink of config
	loki         string
	victorialogs string
	tenant       string
	spools       []string
	// passing are the names of the sources that hold events only on their way to another place.
	passing map[string]bool
}

// addSources adds the flags that name sources.
func addSources(env *environment, cmd *cobra.Command) *sources {
	s := &sources{env: env, cmd: cmd, passing: map[string]bool{}}
	f := cmd.Flags()
	f.StringVar(&s.config, "config", "", "read what the sinks of this configuration `file` keep")
	f.StringSliceVar(&s.from, "from", nil, "with --config, read only these `sinks` and those behind them")
	_ = cmd.RegisterFlagCompletionFunc("from", s.completeSinks) // the flag is there
	f.BoolVar(&s.kube, "kube", false, "read the API server, as any of kubectl's flags says as well")
	f.StringVar(&s.loki, "loki", "", "read the Loki at this `URL`")
	f.StringVar(&s.victorialogs, "victorialogs", "", "read the VictoriaLogs at this `URL`")
	f.StringVar(&s.tenant, "tenant", "", "`tenant` of Loki or VictoriaLogs")
	f.StringSliceVar(&s.spools, "spool", nil, "read what waits in these spool `directories`, and their dead letters")

	s.kubectl = addKubectl(f)
	return s
}

// open returns the sources of a command whose arguments are files, which are one source.
func (s *sources) open(paths []string) ([]reading.Source, error) {
	all, err := s.named(nil, len(paths) == 0)
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
	return all, s.distinct(all)
}

// each returns a source for each of the arguments, and those that flags name. The arguments
// are files, or beside --config sinks of it, unless they have a slash.
func (s *sources) each(args []string) ([]reading.Source, error) {
	var sinks, paths []string
	for _, arg := range args {
		if s.config == "" || arg == stdin || strings.ContainsAny(arg, `/\`) {
			paths = append(paths, arg)
		} else {
			sinks = append(sinks, arg)
		}
	}
	all, err := s.named(sinks, false)
	if err != nil {
		return nil, err
	}
	if err := s.once(args); err != nil {
		return nil, err
	}
	for _, path := range paths {
		all = append(all, reading.FilesWithInput(path, s.env.in, path))
	}
	return all, s.distinct(all)
}

// named returns the sources that flags name, and these sinks of --config. A plugin of kubectl
// reads the API server where nothing else is named.
func (s *sources) named(sinks []string, alone bool) (all []reading.Source, err error) {
	if s.tenant != "" && s.loki == "" && s.victorialogs == "" {
		return nil, misuse(s.cmd, errors.New("--tenant is for --loki and --victorialogs: in a configuration, a sink has the key tenantID"))
	}
	if all, err = s.configured(sinks); err != nil {
		return nil, err
	}
	add := func(source reading.Source, made error) {
		if made != nil {
			err = errors.Join(err, misuse(s.cmd, made))
			return
		}
		all = append(all, source)
	}
	if s.loki != "" {
		add(lokisource.New(placeLoki, s.loki, lokisource.Options{TenantID: s.tenant, Overlap: s.overlap}))
	}
	if s.victorialogs != "" {
		add(vlsource.New(placeVictoriaLogs, s.victorialogs, vlsource.Options{TenantID: s.tenant, Overlap: s.overlap}))
	}
	for _, dir := range s.spools {
		add(s.spool("spool "+dir, dir), nil)
	}
	asked := s.kube || s.kubectlAsked() && !s.kubectlUsed
	if asked || alone && len(all) == 0 && s.env.name == pluginFile {
		cluster, made := s.cluster(placeCluster)
		add(cluster, made)
	}
	return all, err
}

// kubectlAsked says that a flag of kubectl is given.
func (s *sources) kubectlAsked() bool {
	return slices.ContainsFunc(s.kubectl.names, s.cmd.Flags().Changed)
}

// spool returns the source of a spool's directory.
func (s *sources) spool(name, dir string) reading.Source {
	s.passing[name] = true
	return reading.Spool(name, dir)
}

// cluster returns the API server that kubectl's flags name.
func (s *sources) cluster(name string) (reading.Source, error) {
	cfg, err := s.kubectl.config()
	if err != nil {
		return nil, err
	}
	return kubesource.New(name, cfg, kubesource.Options{})
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

// distinct returns an error when two sources have one name.
func (s *sources) distinct(all []reading.Source) error {
	seen := map[string]bool{}
	for _, source := range all {
		if seen[source.Name()] {
			return misuse(s.cmd, fmt.Errorf("two sources are called %s: name one of them, with --from if it is a sink of --config", source.Name()))
		}
		seen[source.Name()] = true
	}
	return nil
}

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
