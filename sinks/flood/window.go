package flood

import "time"

// window is the time in which the events of a key are collapsed.
type window struct {
	key   key
	end   time.Time
	group *group // of the events collapsed so far; nil when there are none
	next  *window
}

// prune forgets the windows that have ended.
func (s *stage) prune(now time.Time) {
	for s.oldest != nil && !now.Before(s.oldest.end) {
		w := s.oldest
		s.oldest = w.next
		delete(s.windows, w.key)
		if w.group == nil { // nobody else knows it: it can serve again
			*w = window{next: s.unused}
			s.unused = w
		}
	}
	if s.oldest == nil {
		s.newest = nil
	}
}

// openWindow begins the window of a key that has none.
func (s *stage) openWindow(k key, now time.Time) {
	w := s.unused
	if w == nil {
		w = &window{}
	} else {
		s.unused = w.next
	}
	*w = window{key: k, end: now.Add(s.opts.Window)}
	s.windows[k] = w
	if s.newest != nil {
		s.newest.next = w
	} else {
		s.oldest = w
	}
	s.newest = w
}
