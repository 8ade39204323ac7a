package loki

// Writing returns how many calls of Write are under way.
func Writing(s *Sink) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for w := s.ongoing.first; w != nil; w = w.next {
		n++
	}
	return n
}
