package builtin

import (
	"context"
	"errors"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/kube"
)

// apiServer is an API server, as a section names it.
type apiServer struct {
	Kubeconfig string `yaml:"kubeconfig" doc:"path of a kubeconfig; the program's own client, or that of its pod or KUBECONFIG, where nothing is said"`
	Context    string `yaml:"context" doc:"context of that kubeconfig; its current one where nothing is said"`

	client client.Writer // of the program, or nil
}

type kubeSection struct {
	apiServer `yaml:",inline"`

	CheckNamespace string `yaml:"checkNamespace" default:"default" doc:"namespace in which the check tries a dry-run create"`

	OwnerReferences bool `yaml:"ownerReferences" doc:"store the owner references of events: the garbage collector then deletes an event together with its owner, and at once when the owner is gone"`
	TrustNames      bool `yaml:"trustNames" doc:"count an event whose name exists already, and cannot be read, as stored; only where the policy audit-events-writers names the component"`
}

// of returns the server with the program's client.
func (s *apiServer) of(program client.Writer) *apiServer {
	return &apiServer{s.Kubeconfig, s.Context, program}
}

// context says what is wrong with Context.
func (s *apiServer) context() error {
	if s.Context != "" && s.Kubeconfig == "" {
		return errors.New("needs kubeconfig beside it: name the file that has the context")
	}
	return nil
}

func (s *kubeSection) Validate() error { return config.At("context", s.context()) }

func (s *kubeSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "kube", Level: auditing.LevelAcknowledged}
}

func (s *kubeSection) Open(context.Context, config.Opening) (auditing.Sink, error) {
	c, hc, err := s.connect()
	switch {
	case err != nil:
		return nil, err
	case hc == nil:
		return s.sink(c), nil
	}
	d, _ := s.sink(c).Driver()
	return driver.New(&ownKube{Driver: d, http: hc}), nil
}

// connect returns a client of the API server. hc has its connections; nil for the client of the program.
func (s *apiServer) connect() (c client.Writer, hc *http.Client, err error) {
	if s.programs() {
		return s.client, nil, nil
	}
	return s.place().open()
}

func (s *kubeSection) sink(c client.Writer) kube.Sink {
	return kube.Sink{Client: c, CheckNamespace: s.CheckNamespace, OwnerReferences: s.OwnerReferences, TrustNames: s.TrustNames}
}

// programs reports that it is the API server of the program's client.
func (s *apiServer) programs() bool { return s.client != nil && s.Kubeconfig == "" }

// Identity is that of the API server.
func (s *apiServer) Identity() string {
	if s.programs() {
		return ""
	}
	return s.place().identity()
}

func (s *apiServer) place() KubePlace { return KubePlace{s.Kubeconfig, s.Context} }

// Place implements config.Storing.
func (s *kubeSection) Place() any { return s.place() }

// ownKube closes the connections of a client that was made for it.
type ownKube struct {
	driver.Driver

	gate driver.Gate
	http *http.Client
}

func (k *ownKube) Store(ctx context.Context, events []*driver.Event) []error {
	if err := k.gate.Enter(len(events)); err != nil {
		return driver.All(len(events), err)
	}
	defer k.gate.Leave(len(events))
	return k.Driver.Store(ctx, events)
}

func (k *ownKube) Close(ctx context.Context) error {
	defer k.http.CloseIdleConnections()
	return k.gate.Close(ctx)
}
