package loki_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/loki"
)

func TestTrapWrongTenantIsPermanent(t *testing.T) {
	t.Parallel()
	l := testenv.NewLoki(t, testenv.LokiOptions{Tenants: true})
	for name, tenant := range map[string]string{"none": "", "one that no tenant may have": "a/b"} {
		sink := open(t, l.URL, loki.Options{TenantID: tenant, RefusalGrace: -1})
		failed := mustFail(t, sink.Write(shortly(t), event(namespace(), "x")), auditing.ClassPermanent)
		if !strings.Contains(failed.Error(), "no org id") && !strings.Contains(failed.Error(), "unsupported character") {
			t.Errorf("%s: %v does not hold Loki's words", name, failed)
		}
		if err := sink.Check(shortly(t)); err == nil {
			t.Errorf("%s: Check passes", name)
		}
	}
	right := open(t, l.URL, loki.Options{TenantID: "team-a"})
	if err := right.Check(shortly(t)); err != nil {
		t.Error(err)
	}
	ae := event(namespace(), "x")
	mustWriteAll(t, right, ae)
	sameEvents(t, stored(t, l, "team-a", ae.Namespace), []*v1alpha1.AuditEvent{ae})
	if n := len(stored(t, l, "team-b", ae.Namespace)); n != 0 {
		t.Errorf("another tenant sees %d entries", n)
	}
}

// gate passes on requests with the right Authorization. It answers other requests as
// nginx does, but also quotes their Authorization.
func gate(t *testing.T, l *testenv.Loki, want func() string) string {
	return before(t, l, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		got := r.Header.Get("Authorization")
		if got != want() {
			given, _ := base64.StdEncoding.DecodeString(strings.TrimPrefix(got, "Basic "))
			http.Error(w, "not you: "+string(given)+" "+got, http.StatusUnauthorized)
			return
		}
		r.Header.Del("Authorization")
		next.ServeHTTP(w, r)
	})
}

func TestTrapWrongPasswordIsPermanentAndStaysSecret(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	address := gate(t, l, func() string { return "Basic " + base64.StdEncoding.EncodeToString([]byte("ops:right")) })
	with := func(password promconfig.Secret) *loki.Sink {
		return open(t, address, loki.Options{RefusalGrace: -1, HTTP: promconfig.HTTPClientConfig{
			BasicAuth: &promconfig.BasicAuth{Username: "ops", Password: password},
		}})
	}
	wrong := with("hunter2-wrong")
	failed := mustFail(t, wrong.Write(shortly(t), event(namespace(), "x")), auditing.ClassPermanent)
	contains(t, failed.Error(), "401", "check Options.TenantID and the credentials")
	lacks(t, failed.Error(), "hunter2", base64.StdEncoding.EncodeToString([]byte("ops:hunter2-wrong")))
	err := wrong.Check(shortly(t))
	if err == nil {
		t.Fatal("Check passes")
	}
	lacks(t, err.Error(), "hunter2")

	ae := event(namespace(), "x")
	right := with("right")
	if err := right.Check(shortly(t)); err != nil {
		t.Error(err)
	}
	mustWriteAll(t, right, ae)
	sameEvents(t, stored(t, l, "", ae.Namespace), []*v1alpha1.AuditEvent{ae})
}

func TestTrapTokenFileIsReadAgainWhenItChanges(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	var want atomic.Value
	want.Store("Bearer one")
	address := gate(t, l, func() string { return want.Load().(string) }) //nolint:forcetypeassert // stored above
	file := filepath.Join(t.TempDir(), "token")
	token := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	token("one")
	sink := open(t, address, loki.Options{RefusalGrace: -1, HTTP: promconfig.HTTPClientConfig{
		Authorization: &promconfig.Authorization{CredentialsFile: file},
	}})
	mustWriteAll(t, sink, event(namespace(), "x"))
	want.Store("Bearer two")
	mustFail(t, sink.Write(shortly(t), event(namespace(), "x")), auditing.ClassPermanent)
	token("two")
	mustWriteAll(t, sink, event(namespace(), "x"))
}

func TestTrapAnswerThatNeverComesEndsWithTheContext(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	var asked atomic.Int64
	address := fake(t, func(_ http.ResponseWriter, r *http.Request) { // a real Loki answers in the end
		asked.Add(1)
		defer asked.Add(-1)
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	defer close(release)
	sink := open(t, address, loki.Options{ProveEvery: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	start := time.Now()
	err := sink.Write(ctx, event(namespace(), "x"))
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("Write returned after %s", took)
	}
	contains(t, mustFail(t, err, auditing.ClassTimeout).Error(), "outcome is unknown", "harmless")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is no DeadlineExceeded", err)
	}
	// The push ends when its last writer has given up.
	eventually(t, func() bool { return asked.Load() == 0 })

	bounded := open(t, address, loki.Options{ProveEvery: -1, Timeout: 200 * time.Millisecond})
	failed := mustFail(t, bounded.Write(t.Context(), event(namespace(), "x")), auditing.ClassTransient)
	contains(t, failed.Error(), "outcome is unknown", "harmless", "Options.Timeout")
}

func TestTrapConnectionCutAfterStoringIsOneEvent(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	var cut atomic.Bool
	address := before(t, l, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, r)
		if answer.Code == http.StatusNoContent && cut.CompareAndSwap(false, true) {
			panic(http.ErrAbortHandler) // Loki has stored the event, and its answer is lost
		}
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
	sink := retried(t, open(t, address, loki.Options{}), 10*time.Second)
	ae := event(namespace(), "x")
	mustWriteAll(t, sink, ae)
	if !cut.Load() {
		t.Fatal("the connection was not cut")
	}
	mustWriteAll(t, sink, ae)
	mustWriteAll(t, open(t, l.URL, loki.Options{}), ae)
	sameEvents(t, stored(t, l, "", ae.Namespace), []*v1alpha1.AuditEvent{ae})
}

func TestTrapOnePoisonedEventDoesNotHoldUpTheOthers(t *testing.T) {
	t.Parallel()
	// A real Loki accepts every event that this sink sends, so this server refuses one.
	address := fake(t, func(w http.ResponseWriter, r *http.Request) {
		compressed, _ := io.ReadAll(r.Body)
		body, err := s2.Decode(nil, compressed)
		if err != nil {
			t.Error(err)
		}
		if strings.Contains(string(body), "poison") {
			http.Error(w, "cannot", http.StatusInternalServerError)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	sink := retried(t, open(t, address, loki.Options{ProveEvery: -1}), 8*time.Second)
	ns := namespace()
	poisoned := make(chan error, 1)
	go func() { poisoned <- sink.Write(t.Context(), event(ns, "poison")) }()
	ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
	defer cancel()
	for range 10 {
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := sink.Write(ctx, event(ns, "fine")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	contains(t, mustFail(t, <-poisoned, auditing.ClassTransient).Error(), "500", "cannot")
}

func TestTrap413IsSplit(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	// As a gateway does with client_max_body_size.
	address := before(t, l, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.ContentLength > 20_000 {
			http.Error(w, "Request Entity Too Large", http.StatusRequestEntityTooLarge)
			return
		}
		next.ServeHTTP(w, r)
	})
	sink := open(t, address, loki.Options{})
	ns := namespace()
	var events []*v1alpha1.AuditEvent
	for range 60 {
		events = append(events, large(ns, 4000))
	}
	mustWriteAll(t, sink, events...)
	sameEvents(t, stored(t, l, "", ns), events)
	failed := mustFail(t, sink.Write(shortly(t), large(ns, 90_000)), auditing.ClassPermanent)
	contains(t, failed.Error(), "413", "raise the limit")
}

func TestTrapEachRequestHasOneStream(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	var mixed atomic.Int64
	address := before(t, l, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		compressed, _ := io.ReadAll(r.Body)
		if body, err := s2.Decode(nil, compressed); err == nil && strings.Count(string(body), "{namespace=") > 1 {
			mixed.Add(1)
		}
		r.Body = io.NopCloser(strings.NewReader(string(compressed)))
		next.ServeHTTP(w, r)
	})
	sink := open(t, address, loki.Options{})
	events := map[string][]*v1alpha1.AuditEvent{}
	var all []*v1alpha1.AuditEvent
	for range 20 {
		ns := namespace()
		for range 20 {
			ae := event(ns, "x")
			events[ns] = append(events[ns], ae)
			all = append(all, ae)
		}
	}
	mustWriteAll(t, sink, all...)
	if n := mixed.Load(); n > 0 {
		t.Errorf("%d requests have several streams", n)
	}
	for ns, want := range events {
		sameEvents(t, stored(t, l, "", ns), want)
	}
}
