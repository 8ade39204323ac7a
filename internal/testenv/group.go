package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// watchdogScript waits for the end of its standard input. The input ends when the process that started it ends, by a
// return, a panic, the timeout of go test or a SIGKILL. Then the script kills the process group $1 and removes the folder
// $2. It repeats the removal, because a killed process may still write for a moment.
const watchdogScript = `
cat >/dev/null
kill -s KILL -- "-$1" 2>/dev/null
for try in 1 2 3 4 5; do rm -rf -- "$2" && exit 0; sleep 1; done
exit 1
`

// group holds the processes of one test environment and their folder. None of them outlives this process.
type group struct {
	dir      string // absolute; the servers' data, configuration and logs
	pgid     int
	leader   *exec.Cmd // only keeps pgid in use, so that the watchdog cannot kill processes of others
	watchdog *exec.Cmd
	lifeline io.Closer // the watchdog's standard input
	running  []*process
}

func newGroup(name string) (_ *group, err error) {
	dir, err := os.MkdirTemp("", "audit-"+name+"-")
	if err != nil {
		return nil, fmt.Errorf("testenv: make a folder for %s: %w", name, err)
	}
	g := &group{dir: dir}
	defer func() {
		if err != nil {
			err = fmt.Errorf("testenv: start the watchdog of %s: %w", name, err)
			if g.leader != nil && g.leader.Process != nil {
				err = errors.Join(err, g.leader.Process.Kill(), ignoreExit(g.leader.Wait()))
			}
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()

	hold, release, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer hold.Close()
	defer release.Close()
	g.leader = exec.Command("cat")
	g.leader.Stdin = hold
	g.leader.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := g.leader.Start(); err != nil {
		return nil, err
	}
	g.pgid = g.leader.Process.Pid

	// The watchdog is in a group of its own. So neither the kill that it sends nor a Ctrl-C at the terminal ends it. It
	// inherits the writing end of the leader's pipe, so that the leader ends after the watchdog.
	g.watchdog = exec.Command("sh", "-c", watchdogScript, "watchdog", fmt.Sprint(g.pgid), dir)
	g.watchdog.ExtraFiles = []*os.File{release}
	g.watchdog.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if g.lifeline, err = g.watchdog.StdinPipe(); err != nil {
		return nil, err
	}
	return g, g.watchdog.Start()
}

// close kills every process of the group and removes its folder. A second call does nothing.
func (g *group) close() error {
	if g.lifeline == nil {
		return nil
	}
	for _, p := range g.running {
		p.kill()
	}
	err := g.lifeline.Close()
	g.lifeline = nil
	if werr := g.watchdog.Wait(); werr != nil {
		err = errors.Join(err, fmt.Errorf("testenv: remove %s: watchdog: %w", g.dir, werr))
	}
	return errors.Join(err, ignoreExit(g.leader.Wait()))
}

// ignoreExit ignores the error of a process that was killed or ended with a status, which is intended here.
func ignoreExit(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return nil
	}
	return err
}
