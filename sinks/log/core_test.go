package log_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/log"
)

func egressEvent(decision v1alpha1.AuditDecision) *v1alpha1.AuditEvent {
	return auditing.NewEvent(auditing.EventInput{
		Namespace: "team-a", Kind: "tea-brewed", Decision: decision, Reason: "four o'clock", When: time.Now(),
	})
}

func jsonCore(out zapcore.WriteSyncer, level zapcore.LevelEnabler) zapcore.Core {
	return zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), out, level)
}

func newSink(t *testing.T, core zapcore.Core) *log.Sink {
	t.Helper()
	sink, err := log.New(core, log.Options{Component: "proxy"})
	if err != nil {
		t.Fatal(err)
	}
	return sink
}

func TestNewRefusesANilCore(t *testing.T) {
	if _, err := log.New(nil, log.Options{}); err == nil {
		t.Error("New(nil) gave no error")
	}
}

func TestACallersLoggerKeepsItsOwnFieldsAndEncoder(t *testing.T) {
	var out bytes.Buffer
	logger := zap.New(jsonCore(zapcore.AddSync(&out), zap.DebugLevel)).With(zap.String("pod", "broker-0"))
	sink := newSink(t, logger.Core())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, ctx := range []context.Context{context.Background(), ctx} {
		ae := egressEvent(v1alpha1.AuditDecisionGranted)
		if err := sink.Write(ctx, ae); err != nil {
			t.Fatal(err)
		}
		var got struct {
			v1alpha1.AuditEvent
			TS  float64
			Pod string
		}
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		out.Reset()
		if got.Pod != "broker-0" || got.TS == 0 || got.Name != ae.Name || !got.Spec.Timestamp.Equal(new(ae.Spec.Timestamp.Rfc3339Copy())) {
			t.Errorf("the line reads back as %+v", got)
		}
	}
}

func TestEventBelowLevelIsPermanentError(t *testing.T) {
	var out bytes.Buffer
	sink := newSink(t, jsonCore(zapcore.AddSync(&out), zap.ErrorLevel))
	err := sink.Write(t.Context(), egressEvent(v1alpha1.AuditDecisionGranted))
	if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent || !strings.Contains(err.Error(), "level") {
		t.Errorf("the error is %v", err)
	}
	if err := sink.Write(t.Context(), egressEvent(v1alpha1.AuditDecisionDenied)); err != nil {
		t.Errorf("a denied event passes the level, and failed: %v", err)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 {
		t.Errorf("%d lines were written, want 1", n)
	}
}

func TestEventDroppedBySamplerIsError(t *testing.T) {
	var out bytes.Buffer
	core := zapcore.NewSamplerWithOptions(jsonCore(zapcore.AddSync(&out), zap.DebugLevel), time.Hour, 2, 0)
	sink := newSink(t, core)
	const writes = 5
	failed := 0
	for range writes {
		if err := sink.Write(t.Context(), egressEvent(v1alpha1.AuditDecisionDenied)); err != nil {
			failed++
			if class, _ := driver.ClassOf(err); class != auditing.ClassTransient || !strings.Contains(err.Error(), "sampl") {
				t.Errorf("the error is %v", err)
			}
		}
	}
	if lines := strings.Count(out.String(), "\n"); lines != 2 || failed != writes-lines {
		t.Errorf("%d of %d writes failed and %d lines were written", failed, writes, lines)
	}
}

// zap's Logger only prints such an error.
func TestAFailedWriteOfACoreKeepsItsCause(t *testing.T) {
	full := zapcore.AddSync(writerFunc(func([]byte) (int, error) { return 0, syscall.ENOSPC }))
	core := zapcore.NewTee(jsonCore(zapcore.AddSync(new(bytes.Buffer)), zap.DebugLevel), jsonCore(full, zap.DebugLevel))
	err := newSink(t, core).Write(t.Context(), egressEvent(v1alpha1.AuditDecisionDenied))
	if !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, auditing.ErrAuditWrite) {
		t.Errorf("the error is %v", err)
	}
}

// A hooked core runs its hooks and writes nothing when it is asked to write; an
// observer keeps the fields for later. Both would lose the event, or keep it.
func TestCoreThatEncodesNothingIsAnError(t *testing.T) {
	var out bytes.Buffer
	hooked := zapcore.RegisterHooks(jsonCore(zapcore.AddSync(&out), zap.DebugLevel), func(zapcore.Entry) error { return nil })
	observed, _ := observer.New(zap.DebugLevel)
	for _, core := range []zapcore.Core{hooked, observed} {
		err := newSink(t, core).Write(t.Context(), egressEvent(v1alpha1.AuditDecisionDenied))
		if class, _ := driver.ClassOf(err); class != auditing.ClassPermanent {
			t.Errorf("%T: the error is %v", core, err)
		}
	}
	if out.Len() != 0 {
		t.Errorf("the hooked core wrote %q: it need not be refused any more", out.String())
	}
}

// A core may keep the fields and encode them later, and as often as it likes, for an
// event never changes.
func TestACoreMayKeepTheFields(t *testing.T) {
	kept, logs := observer.New(zap.DebugLevel)
	sink := newSink(t, zapcore.NewTee(kept, jsonCore(zapcore.AddSync(new(bytes.Buffer)), zap.DebugLevel)))
	ae := egressEvent(v1alpha1.AuditDecisionDenied)
	ae.Labels["spec"] = "of-no-object"
	ae.Spec.Detail = map[string]string{"method": "GET"}
	if err := sink.Write(t.Context(), ae); err != nil {
		t.Fatal(err)
	}
	ae.Spec.Detail["method"] = "changed"
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			var got v1alpha1.AuditEvent
			text, err := json.Marshal(logs.All()[0].ContextMap())
			if err == nil {
				err = json.Unmarshal(text, &got)
			}
			if err != nil || got.Spec.Detail["method"] != "GET" || got.Labels["spec"] != "of-no-object" {
				t.Errorf("the kept event is %s (%v)", text, err)
			}
		})
	}
	wg.Wait()
}

func TestWriteWorksAfterPanicOfCore(t *testing.T) {
	var out bytes.Buffer
	var panics atomic.Bool
	panics.Store(true)
	core := jsonCore(zapcore.AddSync(writerFunc(func(p []byte) (int, error) {
		if panics.Load() {
			panic("out of order")
		}
		return out.Write(p)
	})), zap.DebugLevel)
	sink := newSink(t, core)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, ctx := range []context.Context{context.Background(), ctx} {
		panics.Store(true)
		if err := sink.Write(ctx, egressEvent(v1alpha1.AuditDecisionDenied)); err == nil || !strings.Contains(err.Error(), "out of order") {
			t.Errorf("the error is %v", err)
		}
		panics.Store(false)
		if err := sink.Write(ctx, egressEvent(v1alpha1.AuditDecisionDenied)); err != nil {
			t.Errorf("after a panic: %v", err)
		}
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines were written, want 2", n)
	}
}

func TestCloseSyncsCoreUnlessItCannotBeSynced(t *testing.T) {
	for _, test := range []struct{ sync, want error }{
		{nil, nil}, {syscall.EINVAL, nil}, {syscall.ENOTTY, nil}, {syscall.EIO, syscall.EIO},
	} {
		out := &syncer{err: test.sync}
		sink := newSink(t, jsonCore(out, zap.DebugLevel))
		if err := sink.Close(t.Context()); !errors.Is(err, test.want) {
			t.Errorf("Close gave %v, want %v", err, test.want)
		}
		if out.synced != 1 {
			t.Errorf("the core was synced %d times", out.synced)
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

type syncer struct {
	bytes.Buffer
	err    error
	synced int
}

func (s *syncer) Sync() error { s.synced++; return s.err }
