package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/paddock-dev/audit/internal/testenv"
)

func TestSIGTERMEndsReaperThatWaitsForAFIFO(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"as kubeconfig": {"-once", "-kubeconfig", pipe},
		"as policy":     {"-once", "-config", pipe},
	} {
		t.Run(name, func(t *testing.T) {
			testenv.EndsWithinASecond(t, command(t, args...), 2*time.Second)
		})
	}
}

// silentServer lists a single AuditEvent, which has expired. It accepts what is created, and
// has no other objects. It does not answer requests of a method to a path, and tells the
// channel that one came.
func silentServer(t *testing.T, method, path string) (url string, came <-chan struct{}) {
	t.Helper()
	waiting, end := make(chan struct{}, 100), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == method && strings.Contains(r.URL.Path, path) {
			waiting <- struct{}{}
			<-end
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusCreated)
			_, _ = io.Copy(w, r.Body)
			return
		}
		if r.Method != http.MethodGet || !strings.HasSuffix(r.URL.Path, "/auditevents") {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404}`)
			return
		}
		old := time.Now().Add(-40 * day).UTC().Format(time.RFC3339)
		_, _ = fmt.Fprintf(w, `{"kind":"AuditEventList","apiVersion":"paddock.dev/v1alpha1","metadata":{"resourceVersion":"1"},"items":[
			{"metadata":{"namespace":"team-a","name":"old","uid":"u","resourceVersion":"1","creationTimestamp":%q,
			 "labels":{"paddock.dev/component":"proxy"}},
			 "spec":{"decision":"granted","kind":"egress-allow","reason":"a test","timestamp":%q}}]}`, old, old)
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(end) })
	return server.URL, waiting
}

func TestSIGTERMEndsReaperWhileRequestsHaveNoAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		method, path string
		args         []string
		log          string
	}{
		"list":            {http.MethodGet, "/auditevents", []string{"-once"}, `"msg":"the pass was stopped"`},
		"delete":          {http.MethodDelete, "/auditevents/old", []string{"-once"}, `"unknown":1`},
		"delete, serving": {http.MethodDelete, "/auditevents/old", nil, `"event":"team-a/old"`},
		"lease":           {http.MethodGet, "/leases/audit-reaper", []string{"-leader-elect"}, ""},
		"policy":          {http.MethodPost, "/leases", []string{"-once"}, ""},
		"archive":         {http.MethodPost, "/push", []string{"-once", "-archive", "lake"}, `"archived":0`},
	} {
		t.Run(name, func(t *testing.T) {
			url, came := silentServer(t, c.method, c.path)
			args := append([]string{"-metrics-addr", "0", "-health-addr", "0", "-kubeconfig", kubeconfig(t, &rest.Config{Host: url})}, c.args...)
			if name == "archive" {
				args = append(args, "-audit-config", write(t, "audit.yaml", auditHead+"sinks: {lake: {type: loki, check: skip, url: '"+url+
					"'}}\ncomponents: {r: {sink: lake}}\n"))
			}
			cmd := command(t, args...)
			var log bytes.Buffer
			cmd.Stderr = &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			kill := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() })
			defer kill.Stop()
			select {
			case <-came:
			case <-time.After(20 * time.Second):
				t.Error("the request has not come within 20 s")
			}
			begin := time.Now()
			_ = cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended, and the log is wrong then
			_ = cmd.Wait()                          // the log says how it ended
			if took := time.Since(begin); took > time.Second {
				t.Errorf("it went on for %s", took)
			}
			if !strings.Contains(log.String(), c.log) {
				t.Errorf("%s is missing in the log", c.log)
			}
			if t.Failed() {
				t.Log(log.String())
			}
		})
	}
}
