package loki

import "time"

// Writing returns how many events wait for their outcome.
func Writing(s *Sink) (n int) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	for _, q := range s.store.streams {
		n += q.queue.Waiting()
	}
	return n
}

// ReachDiskIn makes a Sink assume that VictoriaLogs takes this long to write confirmed
// events to its disk.
func ReachDiskIn(s *Sink, d time.Duration) {
	s.store.disk.takes = func(time.Duration) time.Duration { return d }
}
