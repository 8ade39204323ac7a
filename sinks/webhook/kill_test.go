package webhook_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/retry"
	"github.com/paddock-dev/audit/sinks/webhook"
)

// childJournal is the path of the journal of a receiver. The test binary starts itself with it as
// the process of the receiver of the example, which is killed.
const childJournal = "AUDIT_WEBHOOK_TEST_JOURNAL"

// runReceiver serves the listener that the process has inherited.
func runReceiver(path string) int {
	const inherited = 3 // the first of exec.Cmd.ExtraFiles
	l, err := net.FileListener(os.NewFile(inherited, "listener"))
	var j *journal
	if err == nil {
		j, err = openJournal(path)
	}
	var key []byte
	if err == nil {
		key, err = base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	}
	if err == nil {
		server := &http.Server{Handler: receive(key, j.store), ReadHeaderTimeout: time.Minute}
		err = server.Serve(l)
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// mortal is a receiver in a process of its own. Its address stays the same: connections that
// are made while the process is dead wait for the next one.
type mortal struct {
	address, journal string
	listener         *os.File
	process          *exec.Cmd
	stderr           bytes.Buffer
}

func newMortal(t *testing.T) *mortal {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	file, err := l.(*net.TCPListener).File() //nolint:forcetypeassert // it is of tcp
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close() // file goes on listening
	m := &mortal{address: "http://" + l.Addr().String(), journal: filepath.Join(t.TempDir(), "events.jsonl"), listener: file}
	t.Cleanup(func() {
		m.kill()
		_ = file.Close()
	})
	return m
}

func (m *mortal) start(t *testing.T) {
	t.Helper()
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	m.process = exec.Command(binary)
	m.process.Env = append(os.Environ(), childJournal+"="+m.journal)
	m.process.ExtraFiles = []*os.File{m.listener}
	m.process.Stderr = &m.stderr
	if err := m.process.Start(); err != nil {
		t.Fatal(err)
	}
}

func (m *mortal) kill() {
	if m.process != nil {
		_ = m.process.Process.Kill()
		_ = m.process.Wait() // the error says that it was killed
		m.process = nil
	}
}

func TestKilledReceiverLosesNothingConfirmed(t *testing.T) {
	for _, mode := range []webhook.Mode{webhook.ModeStructured, webhook.ModeBatch} {
		t.Run(string(mode), func(t *testing.T) {
			t.Parallel()
			killReceiver(t, webhook.Options{Mode: mode, Level: auditing.LevelAcknowledged, Secrets: secrets, MaxBatchEvents: batchOf(mode)})
		})
	}
}

func batchOf(mode webhook.Mode) int {
	if mode == webhook.ModeBatch {
		return 8
	}
	return 0
}

// killReceiver writes from several goroutines while it kills the receiver again and again.
func killReceiver(t *testing.T, opts webhook.Options) {
	const kills, writers = 20, 16
	m := newMortal(t)
	m.start(t)
	sink, err := retry.New(open(t, m.address, opts), retry.Options{
		Within: time.Minute, Timeout: 30 * time.Second, MinBackoff: time.Millisecond, MaxBackoff: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	confirmed := make(chan identity)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				ae := event("because")
				if err := sink.Write(ctx, ae); err != nil {
					t.Errorf("write: %v", err)
					return
				}
				confirmed <- identity{"/audit/namespaces/team-a", ae.Name}
				if n%10 == 0 { // as somebody does who did not hear the answer
					if err := sink.Write(ctx, ae); err != nil {
						t.Errorf("repeat: %v", err)
						return
					}
				}
			}
		})
	}
	go func() {
		wg.Wait()
		close(confirmed)
	}()
	names := map[identity]bool{}
	for range kills {
		for range 1 + rand.IntN(60) {
			names[<-confirmed] = true
		}
		m.kill()
		m.start(t)
	}
	close(stop)
	for name := range confirmed {
		names[name] = true
	}
	m.kill()
	delete(names, identity{}) // of a channel that writers who failed have closed
	checkJournal(t, m, names)
	t.Logf("%d kills: %d events confirmed; %s", kills, len(names), m.stderr.String())
}

// checkJournal fails the test unless the journal has every confirmed event, and each event once.
func checkJournal(t *testing.T, m *mortal, confirmed map[identity]bool) {
	t.Helper()
	text, err := os.ReadFile(m.journal)
	if err != nil {
		t.Fatal(err)
	}
	held := map[identity]int{}
	for line := range bytes.Lines(text) {
		var id identity
		if bytes.HasSuffix(line, []byte("\n")) { // the last one may be torn
			if err := json.Unmarshal(line, &id); err != nil {
				t.Fatalf("a line that is no event: %v: %.200s", err, line)
			}
			held[id]++
		}
	}
	for id := range confirmed {
		if held[id] != 1 {
			t.Errorf("%v was confirmed and is stored %d times", id, held[id])
		}
	}
	for id, n := range held {
		if n != 1 {
			t.Errorf("%v is stored %d times", id, n)
		}
	}
}
