package seal

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/paddock-dev/audit/internal/trail"
)

const (
	// headPause is how long a life does not record another head of a trail of which it has recorded one.
	headPause = time.Minute
	// keyPause is how long it does not record another certificate of that trail, which may get one often.
	keyPause = time.Hour
	// remembered is for how long a trail is recorded that has ended, or that the board has no more. Where there are many
	// trails, it is an hour.
	remembered, rememberedOfMany = 7 * 24 * time.Hour, time.Hour
	// maxOthers bounds the trails that a stage knows of. Half of them are many.
	maxOthers = 2000
)

// others are trails that a life may record. They are safe for concurrent use.
type others struct {
	mu  sync.Mutex
	all map[string]other // by their public keys
}

// other is what a stage knows of a trail.
type other struct {
	head        trail.SignedHead // that its key has signed
	certificate string           // "" for none
	first, seen time.Time        // when the stage learned of the trail, and when it last did
}

// put notes the state of a trail. It reports false when there are too many trails.
func (o *others) put(key string, state other) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	known, ok := o.all[key]
	switch {
	case !ok && len(o.all) >= maxOthers:
		return false
	case ok && state.head.Size < known.head.Size: // somebody put an old head back
		state.head = known.head
	}
	if ok {
		state.first = known.first
	}
	state.certificate = cmp.Or(state.certificate, known.certificate)
	if o.all == nil {
		o.all = map[string]other{}
	}
	o.all[key] = state
	return true
}

// recorded is what a life has recorded of another trail.
type recorded struct {
	head        trail.SignedHead
	at          time.Time
	certificate string    // "" for none
	keyed       time.Time // when it was recorded
}

// needsKey reports whether a certificate is to be recorded as well.
func (r *recorded) needsKey(certificate string, now time.Time) bool {
	return certificate != "" && certificate != r.certificate && now.Sub(r.keyed) >= keyPause
}

// due is a trail that a life has to record.
type due struct {
	key string
	other

	last recorded
	wait time.Time // since when
}

// dueFor returns the trails of which a life has not recorded what is known, the one that has waited longest first: made-up
// trails, however many, do not get in front of others. It forgets those that have not been there for too long.
func (o *others) dueFor(l *life, now time.Time) (all []due) {
	o.mu.Lock()
	most := remembered
	if len(o.all) > maxOthers/2 {
		most = rememberedOfMany
	}
	for key, state := range o.all {
		last := l.recorded[key]
		switch {
		case now.Sub(state.seen) > most:
			delete(o.all, key)
		case key == l.key || now.Sub(last.at) < headPause:
		case last.head != state.head || last.needsKey(state.certificate, now):
			wait := last.at
			if wait.IsZero() {
				wait = state.first
			}
			all = append(all, due{key, state, last, wait})
		}
	}
	o.mu.Unlock()
	slices.SortFunc(all, func(a, b due) int { return cmp.Or(a.wait.Compare(b.wait), cmp.Compare(a.key, b.key)) })
	return all
}

// tellHeads has the draft record heads of other trails, as far as there is room. The key of a trail goes with the
// first head that the life records of it, so that the head proves something when nothing else is left of the trail.
func (l *life) tellHeads(d *draft, now time.Time) {
	room, keyRoom := trail.MaxText, trail.MaxKeys
	d.recorded = map[string]recorded{}
	for _, one := range l.stage.others.dueFor(l, now) {
		key := trail.OtherKey{Key: one.key, Certificate: one.certificate}
		said, withKey := one.last, one.last.needsKey(one.certificate, now)
		said.head, said.at = one.head, now
		line, entry := len(one.head.String())+1, 0
		if withKey {
			said.certificate, said.keyed, entry = one.certificate, now, key.Size()
		}
		if line > room || entry > keyRoom || len(d.Heads) == trail.MaxHeads {
			return
		}
		room, keyRoom = room-line, keyRoom-entry
		d.Heads = append(d.Heads, one.head)
		if withKey {
			d.Keys = append(d.Keys, key)
		}
		d.recorded[one.key] = said
	}
}
