package guides_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/sinks/spool"
	"github.com/paddock-dev/audit/sinks/webhook"
)

// open returns the chain spool(webhook) on a directory.
func open(dir, address string) (*spool.Sink, error) {
	receiver, err := webhook.New(address, webhook.Options{Component: "proxy", Level: auditing.LevelAcknowledged})
	if err != nil {
		return nil, err
	}
	return spool.New(dir, receiver, spool.Options{MaxBackoff: time.Second})
}

// stop closes a chain as a process does that has a second to end.
func stop(sink auditing.Sink) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return auditing.Close(ctx, sink)
}

func Example_outage() {
	var away atomic.Bool
	var received atomic.Int32
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		received.Add(1)
		w.WriteHeader(http.StatusNoContent)
	}))
	defer receiver.Close()
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	away.Store(true)
	sink, err := open(dir, receiver.URL)
	if err != nil {
		fmt.Println(err)
		return
	}
	denied := auditing.NewEgressBlock(auditing.EgressInput{RunName: "hr-1", Namespace: "team-a", Host: "example.com", Port: 443})
	fmt.Println("written:", sink.Write(context.Background(), denied))
	fmt.Println("stopped:", strings.ReplaceAll(stop(sink).Error(), dir, "DIR"))

	away.Store(false)
	next, err := open(dir, receiver.URL) // the next process
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	fmt.Println("closed:", next.Close(ctx), "received:", received.Load())
	// Output:
	// written: <nil>
	// stopped: spool: closed with 1 events left in DIR for the next process: context deadline exceeded
	// closed: <nil> received: 1
}
