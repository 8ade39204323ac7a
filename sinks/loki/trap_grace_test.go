package loki_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/loki"
)

func TestRefusedSenderIsTransientForTheGrace(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 307, 401, 403, 404, 405, 407} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			address, _ := scripted(t, status)
			failed := mustFail(t, open(t, address, loki.Options{ProveEvery: -1}).Write(shortly(t), event(namespace(), "x")), auditing.ClassTransient)
			contains(t, failed.Error(), strconv.Itoa(status), "nothing was stored", "transient until", "Options.RefusalGrace")
			mustFail(t, open(t, address, loki.Options{}).Write(shortly(t), event(namespace(), "x")), auditing.ClassTransient)
			atOnce := open(t, address, loki.Options{ProveEvery: -1, RefusalGrace: -1})
			mustFail(t, atOnce.Write(shortly(t), event(namespace(), "x")), auditing.ClassPermanent)
		})
	}
	for _, status := range []int{400, 413, 422} { // these refuse the events and not the sender
		address, _ := scripted(t, status)
		mustFail(t, open(t, address, loki.Options{ProveEvery: -1}).Write(shortly(t), event(namespace(), "x")), auditing.ClassPermanent)
	}
}

func TestGraceBeginsAgainAfterSuccess(t *testing.T) {
	t.Parallel()
	var status atomic.Int64
	address := fake(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.WriteHeader(int(status.Load()))
	})
	sink := open(t, address, loki.Options{ProveEvery: -1, RefusalGrace: 300 * time.Millisecond})
	write := func() error { return sink.Write(shortly(t), event(namespace(), "x")) }
	for range 2 {
		status.Store(401)
		begun := time.Now()
		mustFail(t, write(), auditing.ClassTransient)
		status.Store(503) // neither a success nor a refusal of the sender
		mustFail(t, write(), auditing.ClassTransient)
		status.Store(403)
		eventually(t, func() bool {
			var failed *auditing.WriteError
			return errors.As(write(), &failed) && failed.Class == auditing.ClassPermanent
		})
		if took := time.Since(begun); took < 300*time.Millisecond {
			t.Errorf("permanent after %s", took)
		}
		status.Store(204)
		mustWriteAll(t, sink, event(namespace(), "x"))
	}
}

func TestReplacedPasswordFileLosesNoEvent(t *testing.T) {
	t.Parallel()
	l := permissive.get(t)
	var refused atomic.Int64
	address := gate(t, l, func() string { refused.Add(1); return "Bearer two" })
	file := filepath.Join(t.TempDir(), "token")
	for _, text := range []string{"one", ""} { // an old token, and a file that is being written
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		refused.Store(0)
		sink := retried(t, open(t, address, loki.Options{HTTP: promconfig.HTTPClientConfig{
			Authorization: &promconfig.Authorization{CredentialsFile: file},
		}}), 15*time.Second)
		ae := event(namespace(), "x")
		done := make(chan error, 1)
		go func() { done <- sink.Write(shortly(t), ae) }()
		eventually(t, func() bool { return refused.Load() > 1 || len(done) > 0 })
		if err := os.WriteFile(file, []byte("two"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		sameEvents(t, stored(t, l, "", ae.Namespace), []*v1alpha1.AuditEvent{ae})
	}
}

func TestPauseThatTheServerAsksForIsInTheError(t *testing.T) {
	t.Parallel()
	for _, status := range []int{429, 503} {
		address := fake(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Retry-After", "7")
			http.Error(w, "too much", status)
		})
		err := open(t, address, loki.Options{ProveEvery: -1}).Write(shortly(t), event(namespace(), "x"))
		failed := mustFail(t, err, auditing.ClassTransient)
		contains(t, failed.Error(), "too much", "outcome is unknown", "asks to wait for 7s")
		if failed.RetryAfter != 7*time.Second {
			t.Errorf("%d: a pause of %s", status, failed.RetryAfter)
		}
	}
}
