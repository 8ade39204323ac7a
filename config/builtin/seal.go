package builtin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/internal/disk"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/sinks/seal/kubeseal"
)

type sealSection struct {
	Next config.Ref `yaml:"next" required:"true" doc:"the name of the sink to write to"`
	Key  *sealKey   `yaml:"key" doc:"the long-term key that vouches for the key of each trail; nobody does where neither it nor token is given"`

	Token *sealToken `yaml:"token" doc:"instead of key: tokens of a service account vouch, which the API server signs; {} for the service account of the component"`

	Heads *sealHeads `yaml:"heads" doc:"a ConfigMap on which trails learn of each other's heads, which checkpoints record; none where nothing is said"`

	seal.Options `yaml:",inline"`

	component string        // that owns the trail
	client    client.Writer // of the program, or nil
}

// Validate refuses two that vouch.
func (s *sealSection) Validate() error {
	err := s.Options.Validate()
	if s.Key != nil && s.Token != nil {
		err = errors.Join(err, config.At("token", errors.New("stands beside key: one of the two vouches for a trail, so take the other out")))
	}
	if s.Token != nil {
		err = errors.Join(err, s.Token.check())
	}
	if s.Heads != nil {
		err = errors.Join(err, config.At("heads", s.Heads.Validate()), config.At("heads.context", s.Heads.context()))
	}
	return err
}

type sealHeads struct {
	kubeseal.BoardOptions `yaml:",inline"`
	apiServer             `yaml:",inline"`
}

// board returns the board, which asks the API server so rarely that it keeps no connection.
func (h *sealHeads) board(program client.Writer) (seal.Board, error) {
	c, hc, err := h.of(program).connect()
	if err != nil {
		return nil, fmt.Errorf("heads: %w", err)
	}
	board, err := kubeseal.NewBoard(c, h.BoardOptions)
	if err != nil || hc == nil {
		return board, err
	}
	return rarely{board, hc}, nil
}

type rarely struct {
	seal.Board

	http *http.Client
}

func (r rarely) Exchange(ctx context.Context, mine seal.Posted) ([]seal.Posted, error) {
	defer r.http.CloseIdleConnections()
	return r.Board.Exchange(ctx, mine)
}

type sealKey struct {
	File string `yaml:"file" required:"true" doc:"path of a file with a signing key, as auditctl keys new writes it"`
}

// maxSealKey bounds the file of a long-term key, in bytes.
const maxSealKey = 4 << 10

func (k *sealKey) read() (string, error) {
	data, err := disk.ReadFile(k.File, maxSealKey+1)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("there is no key: %w", err)
	case err != nil:
		return "", fmt.Errorf("the key cannot be read: %w", err)
	case len(data) > maxSealKey:
		return "", fmt.Errorf("%s is larger than %d bytes: is it the right file?", k.File, maxSealKey)
	}
	return string(bytes.TrimRight(data, "\r\n")), nil
}

func (k *sealKey) authority() (seal.Authority, error) {
	private, err := k.read()
	if err != nil {
		return nil, config.At("key.file", err)
	}
	authority, err := seal.LongTermKey(private)
	if err != nil {
		return nil, config.At("key.file", fmt.Errorf("%s holds no signing key: make one with auditctl keys new", k.File))
	}
	return authority, nil
}

// CheckFiles reads the long-term key.
func (s *sealSection) CheckFiles() error {
	if s.Key == nil {
		return nil
	}
	_, err := s.Key.authority()
	return err
}

// Own takes the component, which is part of the origin of its trails.
func (s *sealSection) Own(component string) { s.component = component }

// MayStandBefore refuses a second seal, flood control, which would not store what is sealed, and
// checkpoints that the API server would refuse.
func (s *sealSection) MayStandBefore(behind []config.Neighbour) error {
	errs := []error{beforeSeal(behind, "an event has one seal: take one of the two out")}
	for _, b := range behind {
		switch b.Section.(type) {
		case *floodSection:
			errs = append(errs, fmt.Errorf("stands in front of the flood control %s: what that collapses would be missing from the trail: put the flood control in front of the seal", b.Name))
		case *kubeSection:
			if s.Namespace == "" {
				errs = append(errs, config.At("namespace", fmt.Errorf("is missing: %s stores the checkpoints in the API server, which needs one", b.Name)))
			}
		}
	}
	return errors.Join(errs...)
}

func (s *sealSection) Plan(p config.Planning) config.Plan {
	next := p.Of(s.Next)
	return config.Plan{Chain: "seal(" + next.Chain + ")", Level: next.Level}
}

// Identity has the key, or the API server that vouches, and that of the heads.
func (s *sealSection) Identity() string {
	var vouches, heads string
	switch {
	case s.Token != nil:
		vouches = s.Token.of(s.client).Identity()
	case s.Key != nil:
		private, err := s.Key.read()
		vouches = fmt.Sprint(private, err)
	}
	if s.Heads != nil {
		heads = s.Heads.of(s.client).Identity()
	}
	return vouches + heads
}

func (s *sealSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.Options
	opts.Component, opts.Name, opts.Registerer = s.component, o.Name, o.Registerer
	opts.OnFailure = func(_ context.Context, ae *v1alpha1.AuditEvent, err error) {
		what := "a checkpoint of a sealed trail could not be stored, and is tried again"
		if ae == nil {
			what = "a sealed trail goes on without something that would prove more, which is tried again"
		}
		o.Logger.Error(what, "sink", o.Name, "error", err.Error())
	}
	var err error
	switch {
	case s.Key != nil:
		opts.Authority, err = s.Key.authority()
	case s.Token != nil:
		opts.Authority, err = s.Token.authority(s.client)
		err = config.At("token", err)
	}
	if err == nil && s.Heads != nil {
		opts.Board, err = s.Heads.board(s.client)
	}
	if err != nil {
		return nil, err
	}
	return seal.New(o.Sink(s.Next), opts)
}

// beforeSeal refuses a stage in front of a seal. why says what is wrong with that, and what
// to do.
func beforeSeal(behind []config.Neighbour, why string) error {
	for _, b := range behind {
		if _, seals := b.Section.(*sealSection); seals {
			return fmt.Errorf("stands in front of the seal %s: %s", b.Name, why)
		}
	}
	return nil
}

// MayStandBefore refuses a seal behind it.
func (*multiSection) MayStandBefore(behind []config.Neighbour) error {
	return beforeSeal(behind, "its sinks would hold different seals of one event: put the seal in front of the fan-out")
}

// MayStandBefore refuses a seal behind it.
func (*routeSection) MayStandBefore(behind []config.Neighbour) error {
	return beforeSeal(behind, "its trail would lack the events of the other routes: put the seal in front of the routes")
}

// MayStandBefore refuses a seal behind it.
func (*retrySection) MayStandBefore(behind []config.Neighbour) error {
	return beforeSeal(behind, "each attempt would get a seal of its own: put the seal in front of the retry")
}

// MayStandBefore refuses a seal behind it.
func (*spoolSection) MayStandBefore(behind []config.Neighbour) error {
	return beforeSeal(behind, "what waits on the disk would not be sealed yet: put the seal in front of the spool")
}
