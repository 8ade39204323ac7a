package builtin

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/sinks/seal/kubeseal"
)

// sealToken says which service account vouches for trails, and which API server signs that.
type sealToken struct {
	ServiceAccount string `yaml:"serviceAccount" doc:"namespace/name of the service account; where nothing is said, the one as which the component is authenticated"`

	apiServer `yaml:",inline"`
}

func (t *sealToken) check() error {
	err := config.At("token.context", t.context())
	if namespace, name, _ := strings.Cut(t.ServiceAccount, "/"); t.ServiceAccount != "" && (namespace == "" || name == "" || strings.Contains(name, "/")) {
		err = errors.Join(err, config.At("token.serviceAccount", errors.New("want namespace/name, such as audit-system/broker")))
	}
	return err
}

// authority asks nothing yet.
func (t *sealToken) authority(programs client.Writer) (seal.Authority, error) {
	namespace, name, _ := strings.Cut(t.ServiceAccount, "/")
	opts := kubeseal.TokenOptions{Namespace: namespace, Name: name}
	connected, hc, err := t.of(programs).connect()
	if err != nil {
		return nil, err
	}
	c, ok := connected.(client.Client)
	if !ok {
		return nil, errors.New("the program's client can only write: give builtin.WithKubeClient a client.Client, or token a kubeconfig")
	}
	authority, err := kubeseal.NewTokenAuthority(c, opts)
	if err != nil || hc == nil {
		return authority, err
	}
	return seldom{authority, hc}, nil
}

// seldom closes the connections of a client that was made for it, which asks once in hours.
type seldom struct {
	seal.Authority

	http *http.Client
}

func (s seldom) Certify(ctx context.Context, key string, notBefore, notAfter time.Time) (string, time.Time, error) {
	defer s.http.CloseIdleConnections()
	return s.Authority.Certify(ctx, key, notBefore, notAfter)
}
