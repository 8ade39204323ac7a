package webhook_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/common/config"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/webhook"
)

// receive returns the handler of a receiver of single events and of batches. It answers 204 once
// store has returned nil.
func receive(key []byte, store func(events []json.RawMessage) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 4<<20))
		if err != nil {
			http.Error(w, "the body is too large", http.StatusRequestEntityTooLarge)
			return
		}
		id, timestamp := r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp")
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", id, timestamp, body)
		want := []byte("v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)))
		valid := false
		for signature := range strings.FieldsSeq(r.Header.Get("webhook-signature")) {
			valid = hmac.Equal([]byte(signature), want) || valid
		}
		sent, err := strconv.ParseInt(timestamp, 10, 64)
		if age := time.Since(time.Unix(sent, 0)).Abs(); !valid || err != nil || age > 5*time.Minute {
			http.Error(w, "no valid signature of these minutes", http.StatusUnauthorized)
			return
		}
		if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/cloudevents-batch+json") {
			body = slices.Concat([]byte("["), body, []byte("]"))
		}
		var events []json.RawMessage
		if json.Unmarshal(body, &events) != nil {
			http.Error(w, "no CloudEvents", http.StatusBadRequest)
		} else if err := store(events); err != nil {
			http.Error(w, "cannot store now", http.StatusServiceUnavailable)
		} else {
			w.WriteHeader(http.StatusNoContent)
		}
	}
}

// journal keeps each event once, as a line of a file.
type journal struct {
	mu   sync.Mutex
	file *os.File
	size int64             // of the whole lines that are synced
	held map[identity]bool // which events these are
}

// identity is what no other event has.
type identity struct{ Source, ID string }

// openJournal opens the file of an earlier process, or creates it.
func openJournal(path string) (*journal, error) {
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	j := &journal{held: map[identity]bool{}}
	for line := range bytes.Lines(text) {
		var event identity
		if !bytes.HasSuffix(line, []byte("\n")) || json.Unmarshal(line, &event) != nil {
			break // torn by a kill, and so not confirmed
		}
		j.held[event] = true
		j.size += int64(len(line))
	}
	if j.file, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil {
		return nil, err
	}
	return j, j.file.Truncate(j.size)
}

// store returns nil when the file holds all events, on the disk.
func (j *journal) store(events []json.RawMessage) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	var lines bytes.Buffer
	fresh := map[identity]bool{}
	for _, text := range events {
		var event identity
		if err := json.Unmarshal(text, &event); err != nil {
			return err
		}
		if j.held[event] || fresh[event] {
			continue // it has been sent again
		}
		fresh[event] = true
		if err := json.Compact(&lines, text); err != nil {
			return err
		}
		lines.WriteByte('\n')
	}
	if _, err := j.file.WriteAt(lines.Bytes(), j.size); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.size += int64(lines.Len())
	for event := range fresh {
		j.held[event] = true
	}
	return nil
}

// The receiver's side, with nothing but the standard library: receive and journal.
func Example_receiver() {
	dir, err := os.MkdirTemp("", "webhook-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	j, err := openJournal(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer j.file.Close()
	key := []byte("of the sender and the receiver.") // make one of 32 random bytes
	server := httptest.NewServer(receive(key, j.store))
	defer server.Close()

	sink, err := webhook.New(server.URL, webhook.Options{
		Component: "broker",
		Level:     auditing.LevelAcknowledged, // the receiver stores events before it answers
		Secrets:   []config.Secret{config.Secret("whsec_" + base64.StdEncoding.EncodeToString(key))},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	ae := auditing.NewCredentialIssued(auditing.CredentialIssuedInput{Namespace: "team-a", RunName: "run-1", CredentialName: "deploy-key"})
	fmt.Println(sink.Write(ctx, ae))
	fmt.Println(sink.Write(ctx, ae)) // which the receiver recognises
	fmt.Println(len(j.held), "event")
	fmt.Println(sink.Close(ctx))
	// Output:
	// <nil>
	// <nil>
	// 1 event
	// <nil>
}
