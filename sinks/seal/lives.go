package seal

import (
	"context"
	"slices"
	"time"

	"github.com/paddock-dev/audit/internal/trail"
)

// keptLives is how many closed trails are known again when their events are written again.
const keptLives = 2

// begin opens a trail and starts its checkpoints.
func (s *stage) begin() (*life, error) {
	id := trail.NewID()
	origin := trail.Origin(s.opts.Cluster, s.info.Component, id)
	signer, key, err := newSigner(origin)
	if err != nil {
		return nil, err
	}
	ctx, quit := context.WithCancel(context.Background())
	l := &life{
		stage: s, id: id, origin: origin, key: key, signer: signer, opened: time.Now(), own: -1, lost: map[loss]trail.Ranges{}, recorded: map[string]recorded{},
		wake: make(chan struct{}, 1), done: make(chan struct{}), moved: make(chan struct{}), quit: quit,
	}
	l.own = l.append(trail.Hash{}) // of the checkpoint that opens the trail
	if s.opts.Authority != nil {
		l.certifier = newCertifier(l)
		go l.certifier.run(ctx)
	}
	go l.keep(ctx)
	return l, nil
}

// lives returns all trails, the newest last. s.mu is held.
func (s *stage) lives() []*life {
	lives := append(slices.Clone(s.past), s.now)
	if s.ready != nil {
		lives = append(lives, s.ready)
	}
	return lives
}

// life returns the trail of this stage that has the ID; nil for none. s.mu is held.
func (s *stage) life(id string) *life {
	for _, l := range s.lives() {
		if l.id == id {
			return l
		}
	}
	return nil
}

// prepare begins the next trail before it takes events: those that come before its first checkpoint is stored
// have nobody who vouches for their key. s.mu is held.
func (s *stage) prepare() {
	if s.ready == nil {
		s.ready, _ = s.begin() // an error does not happen; this trail goes on
	}
}

// rotate has the next trail take new events. s.mu is held.
func (s *stage) rotate() {
	s.prepare()
	next := s.ready
	if next == nil {
		return
	}
	s.ready = nil
	s.now.end()
	s.past = append(s.past, s.now)
	for len(s.past) > keptLives && s.past[0].closed() {
		s.past = s.past[1:]
	}
	s.now = next
}

// succeed has the next trail take new events once it is open. s.mu is held.
func (s *stage) succeed() {
	if s.prepare(); s.ready != nil && s.ready.covered > 0 {
		s.rotate()
	}
}
