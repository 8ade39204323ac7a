package otlp_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/protobuf/proto"
)

// childEnv makes a process of this test binary the receiver.
const childEnv = "AUDIT_BENCH_OTLP_RECEIVER"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		if err := receive(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// receiver is a receiver of OTLP logs in another process.
type receiver struct{ url string }

// startReceiver starts a receiver that ends with the benchmark.
func startReceiver(b *testing.B) *receiver {
	b.Helper()
	cmd := exec.CommandContext(context.Background(), os.Args[0]) // not the context of b, which ends before the cleanup
	cmd.Env = append(os.Environ(), childEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = in.Close() // which ends it
		if err := cmd.Wait(); err != nil {
			b.Error(err)
		}
	})
	address, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return &receiver{url: "http://" + strings.TrimSpace(address)}
}

// taken returns how many records have come since it was last called.
func (r *receiver) taken() (int, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url+"/taken", nil)
	if err != nil {
		return 0, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(text))
}

// body is a request that was taken.
type body struct {
	data   []byte
	packed bool
}

// receive is the process of the receiver, until its input ends. It keeps requests as they come, and decodes
// them when it is asked how many records it has, for its own work is not to be measured.
func receive() error {
	var mu sync.Mutex
	var bodies []body
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/logs", func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		bodies = append(bodies, body{data, r.Header.Get("Content-Encoding") == gzipped})
	})
	mux.HandleFunc("GET /taken", func(w http.ResponseWriter, _ *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		n := 0
		for _, b := range bodies {
			records, err := b.records()
			if err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
			n += records
		}
		bodies = nil
		_, _ = fmt.Fprint(w, n)
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(listener.Addr())
	server := &http.Server{Handler: mux}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = server.Close()
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// records counts the records of a request.
func (b body) records() (n int, err error) {
	data := b.data
	if b.packed {
		unpacked, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return 0, err
		}
		if data, err = io.ReadAll(unpacked); err != nil {
			return 0, err
		}
	}
	var logs logspb.LogsData // it has the fields of an ExportLogsServiceRequest
	if err := proto.Unmarshal(data, &logs); err != nil {
		return 0, err
	}
	for _, resource := range logs.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			n += len(scope.GetLogRecords())
		}
	}
	return n, nil
}
