package webhook_test

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	promconfig "github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/webhook"
)

// replace puts a file in the place of another one at once, as the kubelet does.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestSecretsChangeWithoutRefusedWrite(t *testing.T) {
	t.Parallel()
	oldKey, newKey := []byte(strings.Repeat("o", 32)), []byte(strings.Repeat("n", 32))
	secretOf := func(key []byte) string { return "whsec_" + base64.StdEncoding.EncodeToString(key) + "\n" }
	path := filepath.Join(t.TempDir(), "secrets")
	replace(t, path, secretOf(oldKey))
	m := &memory{}
	byOld, byNew := receive(oldKey, m.keep), receive(newKey, m.keep)
	var changed atomic.Bool // the receiver has the new key
	var requests atomic.Int64
	sink := open(t, serve(t, func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if changed.Load() {
			byNew(w, r)
		} else {
			byOld(w, r)
		}
	}), webhook.Options{SecretsFile: path})
	stop := make(chan struct{})
	const writers = 4
	var wrote [writers]chan error
	var wg sync.WaitGroup
	for i := range writers {
		wrote[i] = make(chan error)
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				case wrote[i] <- sink.Write(shortly(t), event("because")):
				}
			}
		})
	}
	for _, step := range []func(){
		func() {},
		func() { replace(t, path, secretOf(newKey)+secretOf(oldKey)) },
		func() { changed.Store(true) },
		func() { replace(t, path, secretOf(newKey)) },
	} {
		step()
		// The first write that ends now may have begun before the step, and the second not.
		for range 2 {
			for i := range writers {
				if err := <-wrote[i]; err != nil {
					t.Error(err)
				}
			}
		}
	}
	close(stop)
	wg.Wait()
	replace(t, path, "whsec_hunter2\n")
	before := requests.Load()
	failed := mustFail(t, sink.Write(shortly(t), event("because")), auditing.ClassTransient)
	contains(t, failed.Error(), "not sent", path, "line 1")
	if strings.Contains(failed.Error(), "hunter2") || requests.Load() != before {
		t.Errorf("%v after %d requests more", failed, requests.Load()-before)
	}
	if err := sink.Check(shortly(t)); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("Check: %v", err)
	}
}

func TestNewRefusesSecretsFileThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "secrets")
	if _, err := webhook.New("http://receiver.example", webhook.Options{SecretsFile: path}); err == nil {
		t.Error("New takes a file that is missing")
	}
	replace(t, path, "hunter2")
	if _, err := webhook.New("http://receiver.example", webhook.Options{SecretsFile: path}); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("New: %v", err)
	}
}

func TestNothingThatIsPrintedHoldsSecret(t *testing.T) {
	t.Parallel()
	address := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%q %s %s %s", r.Header, r.URL, r.Header, body)
	})
	opts := webhook.Options{Mode: webhook.ModeBinary, Secrets: secrets, HTTP: promconfig.HTTPClientConfig{
		BasicAuth: &promconfig.BasicAuth{Username: "ops", Password: "hunter2-password"},
	}}
	sink := open(t, address+"/services/T000/hunter2-path?token=hunter2-query", opts)
	errs := []error{sink.Write(shortly(t), event("because")), sink.Check(shortly(t))}
	text := fmt.Sprintf("%v %+v %#v %s %v %+v %#v %v %+v %#v", opts, opts, opts, opts, sink, sink, sink, errs, errs, &opts)
	for _, part := range []string{"hunter2", strings.TrimPrefix(secret, "whsec_"), "b3BzOmh1bnRlcjI"} {
		if strings.Contains(text, part) {
			t.Errorf("%q is in %s", part, text)
		}
	}
	if errs[0] == nil || errs[1] == nil {
		t.Errorf("no error: %v", errs)
	}
	contains(t, errs[0].Error(), "POST "+address+"/…", "[team-a/", "[denied]", "[dev.paddock.audit.egress-block.v1alpha1]") // what is no secret can be read
}
