package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

const childOnTmpfs = "tmpfs"

// TestRealFullFileSystemFailsWritesUntilThereIsRoom runs this binary
// again in namespaces of its own, where it may mount a small file system.
func TestRealFullFileSystemFailsWritesUntilThereIsRoom(t *testing.T) {
	binary, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), binary)
	cmd.Env = append(os.Environ(), childEnv+"="+childOnTmpfs, childDir+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || strings.Contains(string(out), cannotMount) {
		t.Skipf("this system does not let the test mount a file system in a namespace: %v %s", err, out)
	}
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

const cannotMount = "cannot mount"

func onTmpfs(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=2m"); err != nil {
		return fmt.Errorf("%s: %w", cannotMount, err)
	}
	away := &sinktest.Recorder{}
	away.FailWith(errors.New("away"))
	s, err := spool.New(filepath.Join(dir, "spool"), away, quick())
	if err != nil {
		return err
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); err != nil {
		return err
	}
	names, err := writeUntil(s, "filling", syscall.ENOSPC)
	if err != nil {
		return err
	}
	full := len(names)
	if err := os.Remove(ballast); err != nil {
		return err
	}
	if err := s.Write(context.Background(), large("room")); err != nil {
		return fmt.Errorf("after there was room: %w", err)
	}
	names = append(names, "room")

	// The spool is closed first: a remount is refused while a file is open for writing.
	abandon(s)
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("remounting: %w", err)
	}
	if _, err := spool.New(filepath.Join(dir, "spool"), away, quick()); !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("New on a read-only file system: %w, want EROFS", err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, "size=4m"); err != nil {
		return fmt.Errorf("remounting: %w", err)
	}
	back := &sinktest.Recorder{}
	s, err = spool.New(filepath.Join(dir, "spool"), back, quick())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Close(ctx); err != nil {
		return err
	}
	if got := namesIn(back); !slices.Equal(got, names) {
		return fmt.Errorf("delivered %d events, want %d", len(got), len(names))
	}
	fmt.Printf("full after %d events; all %d confirmed ones were delivered", full, len(names))
	return nil
}

// writeUntil writes events until one fails, and wants it to fail with cause.
func writeUntil(s *spool.Sink, prefix string, cause error) ([]string, error) {
	var names []string
	for i := range 10_000 {
		name := fmt.Sprintf("%s-%d", prefix, i)
		err := s.Write(context.Background(), large(name))
		switch class, _ := driver.ClassOf(err); {
		case err == nil:
			names = append(names, name)
		case errors.Is(err, cause) && class == auditing.ClassFull:
			return names, nil
		default:
			return nil, fmt.Errorf("%w, want class full and %w", err, cause)
		}
	}
	return nil, errors.New("the disk never got full")
}
