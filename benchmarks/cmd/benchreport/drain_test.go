package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestADrainBesideWritersHasItsShares(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drain.txt")
	write(t, path, "date: today\n\nround: 1\n"+
		"BenchmarkDrain/to=kube/peer=limit-2 50000 1000 ns/op 400 cpu-ns/op 1000 events/s 0 lost\n"+
		"BenchmarkDrain/to=kube/peer=ours-2 50000 1250 ns/op 500 cpu-ns/op 800 events/s 0 lost 1048576 peak-heap-B 2097152 peak-rss-B 4194304 backlog-B\n"+
		"BenchmarkDrain/to=kube/peer=ours-beside-writers-2 10000 2500 ns/op 500 cpu-ns/op 400 events/s 3 lost 30 written/s\n"+
		"BenchmarkDrain/to=kube/peer=writers-2 10000 16666667 ns/op 500 cpu-ns/op 60 events/s\n")
	r, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	table := drainSpool.tableOf(r)
	for _, row := range []string{
		"| kube | **this library, drain** | 50,000 | 800 | 0.80 |  |  | 500 ns | 1 MiB | 2 MiB | 4 MiB | 0 |",
		"| kube | this library, drain beside 64 writers | 10,000 | 400 | 0.50 | 30 | 0.50 | 500 ns |  |  |  | 3 |",
	} {
		if !strings.Contains(table, row) {
			t.Errorf("no row\n%s\nin\n%s", row, table)
		}
	}
	if got := drainSpool.aims[0].judge(r); !strings.Contains(got, "**met**. 0.8 (kube)") {
		t.Errorf("the aim reads %q", got)
	}
}
