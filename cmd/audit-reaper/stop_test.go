package main

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"
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
			cmd := command(t, args...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case <-ended: // what it would wait for is refused
				return
			case <-time.After(2 * time.Second): // it waits
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			select {
			case <-ended:
			case <-time.After(time.Second):
				t.Error("it goes on 1 s after SIGTERM")
				_ = cmd.Process.Kill()
				<-ended
			}
		})
	}
}
