package flood

// memory knows the latest events again. It takes its room at once, and finds an
// event with one look: an event has the places of one bucket, where the newest
// displaces the oldest. So how long an event is remembered is a matter of
// chance: for half of its size of further events in 19 cases of 20, and for a
// quarter in 999 of 1,000.
type memory struct {
	buckets [][memoryWays]remembered
}

const memoryWays = 8

type remembered struct {
	id  identity
	sum *summary
}

func newMemory(size int) memory {
	return memory{buckets: make([][memoryWays]remembered, (size+memoryWays-1)/memoryWays)}
}

func (m *memory) bucket(id identity) *[memoryWays]remembered {
	return &m.buckets[id[0]%uint64(len(m.buckets))]
}

// get returns what became of an event: the summary that it is part of, or nil
// when it went as itself.
func (m *memory) get(id identity) (sum *summary, known bool) {
	b := m.bucket(id)
	for i := range b {
		if b[i].id == id {
			return b[i].sum, true
		}
	}
	return nil, false
}

func (m *memory) put(id identity, sum *summary) {
	b := m.bucket(id)
	at := memoryWays - 1
	for i := range b {
		if b[i].id == id {
			at = i
			break
		}
	}
	copy(b[1:at+1], b[:at])
	b[0] = remembered{id, sum}
}
