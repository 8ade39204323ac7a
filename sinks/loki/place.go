package loki

import (
	"hash/fnv"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// lateSent is the value of the label late on the stream of what Loki takes under
// no true time.
const lateSent = "sent"

// lateHour is the form of the label late otherwise: the event's own hour.
const lateHour = "2006-01-02T15Z"

// sentSlot cuts the time of sending, so that a retry finds the same one. Far
// shorter than the hour within which Loki takes entries of a stream, for clocks
// differ.
const sentSlot = 10 * time.Minute

// placement is where an entry goes: the stream's label late, "" for the regular
// stream, and the timestamp in nanoseconds since 1970.
type placement struct {
	late string
	ns   int64
}

// next returns the place for e after Loki refused this one. There is none after
// lateSent.
func (p placement) next(e *driver.Event, why refused) placement {
	if p.late == "" && why == refusedBehind {
		return placement{late: e.Time().Format(lateHour), ns: p.ns}
	}
	return sent(e.Ref(), time.Now())
}

// sent places an event at its time of sending. The part of a second that comes from
// the name keeps thousands of late events from having the same timestamp.
func sent(name string, now time.Time) placement {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // never fails
	spread := int64(h.Sum64() % uint64(time.Second))
	return placement{late: lateSent, ns: now.Truncate(sentSlot).UnixNano() + spread}
}

// places remembers where late events went, so that writing one again in this
// process goes there too. The zero value is ready.
type places struct {
	any           atomic.Bool // there are some: most processes never have one
	mu            sync.Mutex
	recent, older map[string]placement
}

// rememberedPlaces bounds each of the two generations.
const rememberedPlaces = 4096

// of returns the place of an event: where it went before, or its own time.
func (p *places) of(e *driver.Event) placement {
	if p.any.Load() {
		p.mu.Lock()
		known, ok := p.get(e.Ref())
		p.mu.Unlock()
		if ok {
			return known
		}
	}
	at := e.Time()
	if at.Unix() < 0 || at.Unix() > math.MaxInt64/int64(time.Second)-1 { // beyond what Loki can express
		first := sent(e.Ref(), time.Now())
		p.put(e.Ref(), first)
		return first
	}
	return placement{ns: at.UnixNano()}
}

func (p *places) get(name string) (placement, bool) {
	at, ok := p.recent[name]
	if !ok {
		at, ok = p.older[name]
	}
	return at, ok
}

// put remembers the place of an event.
func (p *places) put(name string, at placement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.recent) >= rememberedPlaces {
		p.older, p.recent = p.recent, nil
	}
	if p.recent == nil {
		p.recent = map[string]placement{}
	}
	p.recent[name] = at
	p.any.Store(true)
}
