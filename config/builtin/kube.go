package builtin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/kube"
)

type kubeSection struct {
	Kubeconfig     string `yaml:"kubeconfig" doc:"path of a kubeconfig; the program's own client, or that of its pod or KUBECONFIG, where nothing is said"`
	Context        string `yaml:"context" doc:"context of that kubeconfig; its current one where nothing is said"`
	CheckNamespace string `yaml:"checkNamespace" doc:"namespace in which the check tries a dry-run create"`

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
	if s.client != nil && s.Kubeconfig == "" {
		return kube.Sink{Client: s.client}, nil
	}
	cfg, err := s.restConfig()
	if err != nil {
		return nil, fmt.Errorf("finding the API server: %w", err)
	}
	cfg.QPS = -1 // client-go allows 5 requests a second to a config that says nothing
	hc, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return nil, err
	}
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	c, err := client.New(cfg, client.Options{Scheme: scheme, HTTPClient: hc})
	if err != nil {
		return nil, err
	}
	return &ownKube{Sink: kube.Sink{Client: c}, http: hc}, nil
}

func (s *kubeSection) restConfig() (*rest.Config, error) {
	if s.Kubeconfig == "" {
		return ctrl.GetConfig()
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(
		&clientcmd.ClientConfigLoadingRules{ExplicitPath: s.Kubeconfig},
		&clientcmd.ConfigOverrides{CurrentContext: s.Context}).ClientConfig()
}

// Check asks the API server to create an event without storing it, which needs
// all that a write needs.
func (s *kubeSection) Check(ctx context.Context, sink auditing.Sink) error {
	var c client.Writer
	switch k := sink.(type) {
	case kube.Sink:
		c = k.Client
	case *ownKube:
		c = k.Client
	default:
		return fmt.Errorf("cannot check %s", auditing.Chain(sink))
	}
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: s.CheckNamespace, Kind: "audit-check", Decision: v1alpha1.AuditDecisionGranted,
		Reason: "asked without storing whether audit events can be created",
	})
	if err := c.Create(ctx, ae, client.DryRunAll); err != nil {
		return fmt.Errorf("a dry-run create of an AuditEvent in namespace %s: %w", s.CheckNamespace, err)
	}
	return nil
}

// ownKube closes the connections of a client that was made for it.
type ownKube struct {
	kube.Sink
	http *http.Client

	mu      sync.RWMutex
	closed  bool
	writing sync.WaitGroup
}

var errKubeClosed = errors.New("the sink is closed")

func (k *ownKube) Write(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	k.mu.RLock()
	closed := k.closed
	if !closed {
		k.writing.Add(1)
	}
	k.mu.RUnlock()
	if closed {
		return auditing.Deliver(ctx, auditing.Target{Sink: "kube"}, ae, func(context.Context, *v1alpha1.AuditEvent) error {
			return auditing.WithClass(auditing.ClassClosed, errKubeClosed)
		})
	}
	defer k.writing.Done()
	return k.Sink.Write(ctx, ae)
}

func (k *ownKube) Close(ctx context.Context) error {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	defer k.http.CloseIdleConnections()
	done := make(chan struct{})
	go func() {
		k.writing.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("kube: writes are still under way, and their outcome unknown: %w", ctx.Err())
	}
}
