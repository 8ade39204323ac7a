package spool_test

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/internal/stagetest"
	"github.com/paddock-dev/audit/sinks/spool"
)

func TestConformance(t *testing.T) {
	for _, d := range stagetest.Destinations {
		t.Run(d.Name, func(t *testing.T) {
			h := d.Harness(t, func(next auditing.Sink) (auditing.Sink, error) {
				if d.Name == "recorder" {
					next = driver.New(keepOpen{driver.Of(next)})
				}
				return spool.New(t.TempDir(), next, quick())
			})
			h.Failing, h.Hanging = failingDisk(t), hangingDisk(t)
			sinktest.Run(t, h)
		})
	}
}

// keepOpen is a sink that several others share. Its Close does nothing.
type keepOpen struct{ driver.Driver }

func (keepOpen) Close(context.Context) error { return nil }

// A Write of a spool ends at the disk. So the disk fails and hangs here, not the destination.

func failingDisk(t *testing.T) func(context.Context) (sinktest.Fault, error) {
	return func(context.Context) (sinktest.Fault, error) {
		disk := &spool.FaultyDisk{}
		s, err := spool.New(t.TempDir(), &sinktest.Recorder{}, disk.On(quick()))
		disk.Set(spool.Fault{On: refuse(syscall.ENOSPC, "write")})
		return sinktest.Fault{Sink: s, Caused: func(err error) bool { return errors.Is(err, syscall.ENOSPC) }}, err
	}
}

func hangingDisk(t *testing.T) func(context.Context) (sinktest.Fault, error) {
	return func(context.Context) (sinktest.Fault, error) {
		disk := &spool.FaultyDisk{}
		s, err := spool.New(t.TempDir(), &sinktest.Recorder{}, disk.On(quick()))
		released, release := context.WithCancel(context.Background())
		disk.Set(spool.Fault{On: func(op, path string) error {
			if op == "sync" && filepath.Ext(path) == ".seg" {
				<-released.Done()
			}
			return nil
		}})
		return sinktest.Fault{Sink: s, Release: release}, err
	}
}

// refuse fails operations on segments with err.
func refuse(err error, ops ...string) func(op, path string) error {
	return func(op, path string) error {
		if slices.Contains(ops, op) && filepath.Ext(path) == ".seg" {
			return err
		}
		return nil
	}
}
