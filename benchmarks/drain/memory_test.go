package drain_test

import (
	"fmt"
	"math"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// watchMemory begins to look every 10 ms at the heap in use and the resident memory of this process. peak ends that, and
// returns the most that it saw, in bytes.
func watchMemory() (peak func() (heap, resident float64)) {
	debug.FreeOSMemory() // what the preparation of the measurement has left
	var heap, resident float64
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			heap, resident = max(heap, heapInUse()), max(resident, residentBytes())
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	}()
	return func() (float64, float64) {
		close(stop)
		<-stopped
		return heap, resident
	}
}

func heapInUse() (bytes float64) {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/unused:bytes"}}
	metrics.Read(samples)
	for _, s := range samples {
		bytes += float64(s.Value.Uint64())
	}
	return bytes
}

// residentBytes is NaN where the system does not say.
func residentBytes() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return math.NaN()
	}
	var size, resident float64 // in pages
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		return math.NaN()
	}
	return resident * float64(os.Getpagesize())
}
