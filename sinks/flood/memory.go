package flood

// memory recognises the latest events. It allocates all its room at once, in buckets. An
// event is looked up in one bucket, where the newest entry displaces the oldest. So
// chance decides how long an event is remembered: for as many further events as half
// of its size in 19 cases of 20, and as a quarter of its size in 999 of 1,000.
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
