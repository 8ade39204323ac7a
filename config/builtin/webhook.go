package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/internal/httpclient"
	"github.com/paddock-dev/audit/sinks/webhook"
)

type webhookSection struct {
	URL             string `yaml:"url" required:"true" doc:"the address of the receiver, such as https://receiver.example/audit"`
	webhook.Options `yaml:",inline"`
}

// Validate says what is wrong with the address and with the options.
func (s *webhookSection) Validate() error {
	_, err := httpclient.Address(s.URL, "https://receiver.example/audit")
	return errors.Join(config.At("url", err), s.Options.Validate())
}

func (s *webhookSection) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "webhook", Level: s.Level}
}

func (s *webhookSection) Open(_ context.Context, o config.Opening) (auditing.Sink, error) {
	opts := s.Options
	opts.Registerer = o.Registerer
	return webhook.New(s.URL, opts)
}

// Format keeps secrets out of the output of every verb, and the query of the address.
func (s *webhookSection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "webhook section") }
