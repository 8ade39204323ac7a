package testenv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

const (
	startTimeout = time.Minute
	pollInterval = 20 * time.Millisecond
)

// errPortTaken says that a server ended because another process listens on its port.
var errPortTaken = errors.New("address already in use")

// process is one server of a group.
type process struct {
	name string
	log  string // path of its output
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has ended
}

// start runs the binary as part of the group. The output goes to a log in the group's folder. It must not go to the output
// of this process, because go test would wait until the server closes it.
func (g *group) start(path string, args ...string) (*process, error) {
	p := &process{name: filepath.Base(path), done: make(chan struct{})}
	p.log = filepath.Join(g.dir, p.name+".log")
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("testenv: open the log of %s: %w", p.name, err)
	}
	defer log.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = g.dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: g.pgid}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("testenv: start %s: %w", path, err)
	}
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // ProcessState says how it ended
	}()
	g.running = append(g.running, p)
	return p, nil
}

// kill ends the process with SIGKILL and returns when it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it fails only when the process has already ended
	<-p.done
}

// killRunning is kill, with an error when the process is not running.
func (p *process) killRunning() error {
	select {
	case <-p.done:
		return fmt.Errorf("testenv: kill %s: it is not running; Restart it first", p.name)
	default:
	}
	p.kill()
	return nil
}

// mustHaveEnded returns an error while the process runs.
func (p *process) mustHaveEnded() error {
	select {
	case <-p.done:
		return nil
	default:
		return fmt.Errorf("testenv: restart %s: it still runs; Kill it first", p.name)
	}
}

// waitReady polls until get answers 200 and the process's own log contains marker. Without the marker, another server that
// listens on the same port could be taken for this one. An empty marker is not looked for.
func (p *process) waitReady(ctx context.Context, client *http.Client, get *http.Request, marker string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return p.failed("ended with " + p.cmd.ProcessState.String() + " before it was ready")
		case <-ctx.Done():
			return p.failed("did not become ready: " + ctx.Err().Error())
		case <-tick.C:
		}
		resp, err := client.Do(get.Clone(ctx))
		if err != nil {
			continue
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK && bytes.Contains(p.printed(), []byte(marker)) {
			return nil
		}
	}
}

func (p *process) printed() []byte {
	log, _ := os.ReadFile(p.log) // the error quotes an unreadable log as an empty one
	return log
}

// failed returns an error that quotes the end of the log, because close removes the log.
func (p *process) failed(what string) error {
	log := p.printed()
	var cause error
	if bytes.Contains(log, []byte(errPortTaken.Error())) {
		cause = errPortTaken
	}
	const tail = 2000
	if len(log) > tail {
		log = log[len(log)-tail:]
	}
	return &serverError{text: fmt.Sprintf("testenv: %s %s; it printed last:\n%s", p.name, what, log), cause: cause}
}

// serverError is a failed start. It wraps errPortTaken when that was the cause.
type serverError struct {
	text  string
	cause error
}

func (e *serverError) Error() string { return e.text }
func (e *serverError) Unwrap() error { return e.cause }
