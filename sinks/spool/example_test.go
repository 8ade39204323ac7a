package spool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/driver"
	"github.com/paddock-dev/audit/sinks/spool"
)

func Example() {
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	lake := &sinktest.Recorder{} // stands for a destination
	sink, err := spool.New(dir, lake, spool.Options{})
	if err != nil {
		panic(err)
	}
	ae := auditing.NewEvent(auditing.EventInput{Kind: "tea-brewed", Decision: "granted", Namespace: "default"})
	if err := sink.Write(context.Background(), ae); err != nil {
		panic(err) // not on the disk: a fail-closed component refuses
	}
	fmt.Println(auditing.Chain(sink), "is", auditing.LevelOf(sink))

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := sink.Close(ctx); err != nil {
		panic(err) // some events stay for the next process
	}
	fmt.Println(len(lake.Events()), "delivered")
	// Output:
	// spool(recorder) is durable
	// 1 delivered
}

func ExampleRequeue() {
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	lake := &sinktest.Recorder{}
	lake.FailNext(1, driver.Permanent(errors.New("401: check the tenant")))
	sink, err := spool.New(dir, lake, spool.Options{})
	if err != nil {
		panic(err)
	}
	ae := auditing.NewEvent(auditing.EventInput{Kind: "tea-brewed", Decision: "granted", Namespace: "default"})
	ae.Name = "tea-1"
	if err := sink.Write(context.Background(), ae); err != nil {
		panic(err)
	}
	if err := sink.Close(context.Background()); err != nil {
		panic(err)
	}

	letters, err := spool.List(dir)
	if err != nil {
		panic(err)
	}
	for _, l := range letters {
		fmt.Println(l.ID, l.Reason)
		if err := spool.Requeue(dir, l.ID); err != nil {
			panic(err)
		}
	}
	// Output: 1-tea-1 audit write failed: event default/tea-1: recorder: permanent: 401: check the tenant
}
