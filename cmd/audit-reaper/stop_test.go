package main

import (
	"path/filepath"
	"syscall"
	"testing"
	"time"

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
