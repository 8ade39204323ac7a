package log

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"syscall"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
)

// plainCore is the type of the cores that zapcore.NewCore makes. Their Check decides
// by Enabled alone.
var plainCore = reflect.TypeOf(zapcore.NewCore(nil, nil, nil))

// New returns a Sink that writes through the core of a program that logs with
// zap:
//
//	sink, err := log.New(logger.Core(), log.Options{Component: "broker"})
//
// It takes a core and not a Logger, because a Logger would swallow write errors. The fields apiVersion, kind, metadata and
// spec go through the core's encoder, beside what the core adds.
//
// An event that the core's level suppresses fails with ClassPermanent, and an event
// that a sampler drops with ClassTransient: give the trail a core without either. New
// does not refuse such a core, because levels can change while a program runs.
//
// What to know about some cores. A tee writes to all of its cores as soon as one
// of them takes the level, also to those that do not. Hooks (zap.Hooks,
// zapcore.RegisterHooks) keep a core from writing here, which fails with
// ClassPermanent. A core that keeps its fields instead of encoding them, as
// zaptest/observer does, fails likewise: use sinktest.Recorder in tests. And a
// core that buffers (zapcore.BufferedWriteSyncer) says yes before its output
// does; Close syncs it.
func New(core zapcore.Core, opts Options) (*Sink, error) {
	if core == nil {
		return nil, errors.New("log: the zap core is nil: give one, as in logger.Core()")
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	o := &coreOutput{
		output: newOutput("core", auditing.LevelAccepted, opts.Component),
		logger: opts.logger(), core: core, plain: reflect.TypeOf(core) == plainCore,
	}
	o.mayBlock, o.finish = true, o.sync
	return &Sink{driver.New(o), &o.output}, nil
}

type coreOutput struct {
	output
	logger string
	core   zapcore.Core
	plain  bool
}

// Store gives the core one event after the other.
func (o *coreOutput) Store(ctx context.Context, events []*driver.Event) []error {
	return driver.Each(ctx, events, o.store)
}

func (o *coreOutput) store(ctx context.Context, e *driver.Event) error {
	l := newLine(o, e)
	if err := o.suppressed(l.entry); err != nil {
		return err
	}
	_, err := o.inTurn(ctx, l)
	return err
}

// suppressed returns an error when the core would silently drop the entry.
func (o *coreOutput) suppressed(entry zapcore.Entry) error {
	if !o.core.Enabled(entry.Level) {
		return driver.Permanent(fmt.Errorf("suppressed by the core's level: %s is not enabled: "+
			"give the audit trail a core that takes every level", entry.Level))
	}
	if !o.plain && o.core.Check(entry, nil) == nil {
		return fmt.Errorf("suppressed by the core: it has a sampler, or a level of its own for %s: "+
			"give the audit trail a core without sampling", entry.Level)
	}
	return nil
}

// sync flushes the core. An output that cannot be synced, such as a terminal or
// a pipe, has nothing to flush.
func (o *coreOutput) sync() error {
	err := o.core.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}

// line is one event on its way through a core. Only encoded ever changes, so the core
// may keep the fields.
type line struct {
	to       *coreOutput
	entry    zapcore.Entry
	metadata []byte
	spec     []byte
	encoded  atomic.Bool // an encoder has asked for the spec
}

func newLine(to *coreOutput, e *driver.Event) *line {
	event := e.JSON()
	// The key of a label named spec is followed by a text, and not by an object.
	between := bytes.Index(event, []byte(`,"spec":{`))
	return &line{
		to: to,
		entry: zapcore.Entry{
			Level: levelOf(e.Decision()), Time: e.Time(), LoggerName: to.logger, Message: string(e.Kind()),
		},
		metadata: event[len(typeOfEvent)+len(`"metadata":`) : between],
		spec:     event[between+len(`,"spec":`) : len(event)-len("}")],
	}
}

func (l *line) fields() []zapcore.Field {
	return []zapcore.Field{
		zap.String("apiVersion", apiVersion),
		zap.String("kind", kindAuditEvent),
		zap.Reflect("metadata", json.RawMessage(l.metadata)),
		zap.Reflect("spec", l),
	}
}

// MarshalJSON returns the spec, and notes that an encoder has asked for it.
func (l *line) MarshalJSON() ([]byte, error) {
	l.encoded.Store(true)
	return l.spec, nil
}

func (l *line) run() (stored int, err error) {
	// Not CheckedEntry.Write, which only prints the error.
	err = l.to.core.Write(l.entry, l.fields())
	if err == nil && !l.encoded.Load() {
		err = driver.Permanent(fmt.Errorf("the core (%T) took the event without encoding it: "+
			"give the audit trail a core without hooks", l.to.core))
	}
	if err != nil {
		return 0, err
	}
	return 1, nil
}
