package main

import (
	"context"
	"strings"
	"sync"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/driver"
)

// Ledger is the program's own destination: it keeps the JSON of events in memory.
type Ledger struct {
	driver.Base

	mu    sync.Mutex
	lines []string
}

// NewSink returns a sink that writes to the ledger.
func NewSink(l *Ledger) auditing.Sink { return driver.New(l) }

// Info says what nil from Write means.
func (*Ledger) Info() driver.Info {
	return driver.Info{Name: "ledger", Level: auditing.LevelAccepted}
}

// Store keeps the events.
func (l *Ledger) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, func(_ context.Context, e *driver.Event) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, string(e.JSON()))
		return nil
	})
}

// Lines returns what the ledger holds.
func (l *Ledger) Lines() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// Type lets a configuration name the ledger.
func (l *Ledger) Type() config.Type {
	return config.Type{Name: "ledger", Doc: "the program's own ledger", New: func() config.Section { return &section{l} }}
}

// section is the ledger in a configuration. It has no keys.
type section struct{ ledger *Ledger }

func (*section) Plan(config.Planning) config.Plan {
	return config.Plan{Chain: "ledger", Level: auditing.LevelAccepted}
}

func (s *section) Open(context.Context, config.Opening) (auditing.Sink, error) {
	return NewSink(s.ledger), nil
}
