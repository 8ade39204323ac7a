// Package hooks calls functions that a program hands to the library. A panic of one of
// them must not end the program: on the next start the same event would end it again.
package hooks

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
)

// Call calls a function of the program. A panic is logged with its stack to
// slog.Default, and returned as an error that begins with what.
func Call(what string, call func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s panicked: %v", what, r)
			report(err, debug.Stack())
		}
	}()
	call()
	return nil
}

// report logs a panic. When the logger panics as well, it writes to stderr.
func report(err error, stack []byte) {
	defer func() {
		if recover() != nil {
			fmt.Fprintf(os.Stderr, "audit: %v\n%s", err, stack)
		}
	}()
	slog.Error("audit: "+err.Error(), "stack", string(stack))
}

// Logger returns l with a handler whose panics are caught as Call catches them.
func Logger(l *slog.Logger) *slog.Logger { return slog.New(handler{l.Handler()}) }

type handler struct{ next slog.Handler }

// Enabled is true when the handler panics, so that the record goes on to Handle.
func (h handler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	if Call("the logger", func() { enabled = h.next.Enabled(ctx, level) }) != nil {
		return true
	}
	return enabled
}

func (h handler) Handle(ctx context.Context, r slog.Record) (err error) {
	if broken := Call("the logger", func() { err = h.next.Handle(ctx, r) }); broken != nil {
		fmt.Fprintf(os.Stderr, "audit: not logged, because %v: %s\n", broken, r.Message)
		return broken
	}
	return err
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(func() slog.Handler { return h.next.WithAttrs(attrs) })
}

func (h handler) WithGroup(name string) slog.Handler {
	return h.with(func() slog.Handler { return h.next.WithGroup(name) })
}

// with returns the handler that derive makes, or h when derive panics.
func (h handler) with(derive func() slog.Handler) slog.Handler {
	next := h.next
	_ = Call("the logger", func() { next = derive() })
	return handler{next}
}
