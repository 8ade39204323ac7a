package loki

// Writing returns how many calls of Write are under way.
func Writing(s *Sink) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.writing)
}
