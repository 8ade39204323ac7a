package loki

import "time"

// Writing returns how many calls of Write are under way.
func Writing(s *Sink) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for range s.ongoing.all() {
		n++
	}
	return n
}

// ReachDiskIn has a Sink take what VictoriaLogs has answered for stored on its
// disk after this time.
func ReachDiskIn(s *Sink, d time.Duration) {
	s.disk.takes = func(time.Duration) time.Duration { return d }
}
