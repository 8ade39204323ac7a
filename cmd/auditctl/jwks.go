package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/internal/switching"
	"github.com/paddock-dev/audit/verify"
)

// Where an API server says who signs the tokens of its service accounts.
const (
	discoveryPath = "/.well-known/openid-configuration"
	jwksPath      = "/openid/v1/jwks"
)

func keysJWKSCommand(env *environment) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jwks --cluster NAME --service-account NAMESPACE/NAME... --component NAME...",
		Short: "Print a trust.yaml with the keys that sign a cluster's tokens",
		Long: `jwks asks the API server who signs the tokens of its service accounts, and prints the trust.yaml of auditctl
verify: that these service accounts speak for these components, in trails that the cluster vouches for.

Run it again when the API server gets another key, and keep the old one: it vouches for the trails of
its time.`,
		Example: "auditctl keys jwks --cluster prod --service-account audit-system/broker --component broker --context prod > trust.yaml",
		Args:    operands(0, 0, "none"),
	}
	t := &trusting{}
	t.addFlags(cmd)
	accounts := cmd.Flags().StringSlice("service-account", nil, "the `accounts` that speak for the components, as NAMESPACE/NAME")
	name := cmd.Flags().String("name", "", "`name` of the cluster in reports; that of --cluster when empty")
	from := addKubectl(cmd.Flags())
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case t.cluster == "":
			return misuse(cmd, errors.New("--cluster is missing: name the cluster of the configuration's seal"))
		case len(*accounts) == 0:
			return misuse(cmd, errors.New("--service-account is missing: name the accounts that speak for the components"))
		case len(t.components) == 0:
			return misuse(cmd, errNoComponent)
		}
		issuer := verify.Issuer{Name: *name, Cluster: t.cluster}
		if issuer.Name == "" {
			issuer.Name = t.cluster
		}
		for _, account := range *accounts {
			issuer.ServiceAccounts = append(issuer.ServiceAccounts, verify.ServiceAccount{Name: account, Components: t.components})
		}
		cfg, err := from.config()
		if err != nil {
			return misuse(cmd, err)
		}
		if err := askIssuer(cmd.Context(), cfg, &issuer); err != nil {
			return err
		}
		text, err := t.yaml(verify.Trust{Issuers: []verify.Issuer{issuer}})
		if err != nil {
			return err
		}
		_, err = env.out.Write(text)
		return err
	}
	return cmd
}

// patience is how long an API server may take for an answer where no flag says it.
const patience = 30 * time.Second

// askIssuer fills in what the API server says of the tokens that it signs.
func askIssuer(ctx context.Context, cfg *rest.Config, issuer *verify.Issuer) error {
	cfg = rest.CopyConfig(cfg)
	if cfg.Timeout == 0 {
		cfg.Timeout = patience
	}
	cfg.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme()).WithoutConversion()
	cfg.Wrap(switching.Refuse)
	h, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return fmt.Errorf("making a client of the API server: %w", err)
	}
	defer h.CloseIdleConnections()
	// The end of a redirect would get the credentials.
	h.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c, err := rest.UnversionedRESTClientForConfigAndClient(cfg, h)
	if err != nil {
		return fmt.Errorf("making a client of the API server: %w", err)
	}
	discovery := struct {
		Issuer string `json:"issuer"`
	}{}
	for _, part := range []struct {
		path string
		into any
	}{{discoveryPath, &discovery}, {jwksPath, &issuer.JWKS}} {
		data, err := c.Get().AbsPath(part.path).DoRaw(ctx)
		if err != nil {
			return fmt.Errorf("asking the API server for %s, which the ClusterRole system:service-account-issuer-discovery allows: %w", part.path, err)
		}
		if err := json.Unmarshal(data, part.into); err != nil {
			return fmt.Errorf("the answer of the API server for %s is not what an API server says: %w", part.path, err)
		}
	}
	issuer.Issuer = discovery.Issuer
	return nil
}
