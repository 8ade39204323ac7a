package log

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"syscall"

	"go.uber.org/zap/zapcore"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
)

// plainCore is the type of zapcore.NewCore's cores, of which Enabled says all
// that Check does.
var plainCore = reflect.TypeOf(zapcore.NewCore(nil, nil, nil))

// New returns a Sink that writes through the core of a program that logs with
// zap:
//
//	sink, err := log.New(logger.Core(), log.Options{Component: "broker"})
//
// It takes a core and not a Logger because the Logger's own options do not apply
// here: it would swallow write errors. The fields apiVersion, kind, metadata and
// spec go through the core's encoder, beside what the core adds.
//
// An event that the core's level suppresses fails with ClassPermanent, one that
// a sampler drops with ClassTransient: give the trail a core without either. New
// does not refuse such a core, for levels can change while a program runs.
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
	s := newSink("core", opts)
	through := &coreOutput{sink: s, core: core, plain: reflect.TypeOf(core) == plainCore}
	s.send = through.send
	s.finish = through.sync
	return s, nil
}

type coreOutput struct {
	sink  *Sink
	core  zapcore.Core
	plain bool
}

// send writes ae through the core, which may go on encoding after Write has
// returned: the line has its own copy of the event.
func (c *coreOutput) send(ctx context.Context, ae *v1alpha1.AuditEvent) error {
	l := newLine(c.sink.logger, ae)
	if err := c.suppressed(l.entry); err != nil {
		c.free(l)
		return err
	}
	if err := c.sink.takeTurn(ctx); err != nil {
		c.free(l)
		return err
	}
	if ctx.Done() != nil {
		return c.sink.detached(ctx, outcomeUnknown, func() error {
			defer c.free(l)
			return c.write(l)
		})
	}
	defer c.sink.giveBack()
	defer c.free(l)
	return c.write(l)
}

// free returns the line of a plain core to the pool. What a foreign one does with
// its fields is not known: it may keep them.
func (c *coreOutput) free(l *line) {
	if c.plain {
		l.free()
	}
}

// suppressed says why the core would drop the entry, which zap does in silence.
func (c *coreOutput) suppressed(entry zapcore.Entry) error {
	if !c.core.Enabled(entry.Level) {
		return auditing.Permanent(fmt.Errorf("suppressed by the core's level: %s is not enabled: "+
			"give the audit trail a core that takes every level", entry.Level))
	}
	if !c.plain && c.core.Check(entry, nil) == nil {
		return fmt.Errorf("suppressed by the core: it has a sampler, or a level of its own for %s: "+
			"give the audit trail a core without sampling", entry.Level)
	}
	return nil
}

func (c *coreOutput) write(l *line) error {
	// Not CheckedEntry.Write, which only prints the error.
	if err := c.core.Write(l.entry, l.fields[:]); err != nil {
		return err
	}
	if !l.encoded {
		return auditing.Permanent(fmt.Errorf("the core (%T) took the event without encoding it: "+
			"give the audit trail a core without hooks", c.core))
	}
	return nil
}

// sync flushes the core. An output that cannot be synced, such as a terminal or
// a pipe, has nothing to flush.
func (c *coreOutput) sync() error {
	err := c.core.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTTY) || errors.Is(err, syscall.ENOTSUP) {
		return nil
	}
	return err
}
