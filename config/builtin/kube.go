package builtin

import (
	"context"
	"errors"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/kube"
)

type kubeSection struct {
	Kubeconfig     string `yaml:"kubeconfig" doc:"path of a kubeconfig; the program's own client, or that of its pod or KUBECONFIG, where nothing is said"`
	Context        string `yaml:"context" doc:"context of that kubeconfig; its current one where nothing is said"`
	CheckNamespace string `yaml:"checkNamespace" default:"default" doc:"namespace in which the check tries a dry-run create"`

	OwnerReferences bool `yaml:"ownerReferences" doc:"store the owner references of events: the garbage collector then deletes an event together with its owner, and at once when the owner is gone"`
	TrustNames      bool `yaml:"trustNames" doc:"count an event whose name exists already, and cannot be read, as stored; only where the policy audit-events-writers names the component"`

	client client.Writer // of the program, or nil
}

func (s *kubeSection) Validate() error {
	if s.Context != "" && s.Kubeconfig == "" {
		return config.At("context", errors.New("needs kubeconfig beside it: name the file that has the context"))
	}
	return nil
}

func (s *kubeSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "kube", Level: auditing.LevelAcknowledged}
}

func (s *kubeSection) Open(context.Context, config.Opening) (auditing.Sink, error) {
	if s.programs() {
		return s.sink(s.client), nil
	}
	c, hc, err := s.place().open(map[schema.GroupVersionKind]meta.RESTScope{
		v1alpha1.GroupVersion.WithKind("AuditEvent"): meta.RESTScopeNamespace,
	}, v1alpha1.AddToScheme)
	if err != nil {
		return nil, err
	}
	d, _ := s.sink(c).Driver()
	return driver.New(&ownKube{Driver: d, http: hc}), nil
}

func (s *kubeSection) sink(c client.Writer) kube.Sink {
	return kube.Sink{Client: c, CheckNamespace: s.CheckNamespace, OwnerReferences: s.OwnerReferences, TrustNames: s.TrustNames}
}

// programs reports that the sink writes through the client of the program.
func (s *kubeSection) programs() bool { return s.client != nil && s.Kubeconfig == "" }

// Identity is that of the API server.
func (s *kubeSection) Identity() string {
	if s.programs() {
		return ""
	}
	return s.place().identity()
}

func (s *kubeSection) place() KubePlace { return KubePlace{s.Kubeconfig, s.Context} }

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
