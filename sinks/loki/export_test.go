package loki

import "time"

// Writing returns how many events are under way.
func Writing(s *Sink) int {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return s.store.underWay
}

// ReachDiskIn has a Sink take what VictoriaLogs has answered for stored on its
// disk after this time.
func ReachDiskIn(s *Sink, d time.Duration) {
	s.store.disk.takes = func(time.Duration) time.Duration { return d }
}
