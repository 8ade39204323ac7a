package names

import (
	crand "crypto/rand"
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"k8s.io/apimachinery/pkg/util/validation"
)

// MaxPrefix bounds what comes before the ULID of a name, in bytes: a name is a DNS
// subdomain of at most 253 characters.
const MaxPrefix = validation.DNS1123SubdomainMaxLength - ulid.EncodedSize

// Append appends prefix, a lower-case ULID of t and, where it can be told which part of
// a name that is, a dash and component. The admission policy audit-events-writers lets
// nobody but the writers of a component use names that end like this. A time before 1970
// counts as 1970, the earliest that a ULID can express.
func Append(text []byte, prefix, component string, t time.Time) ([]byte, error) {
	ms := ulidTime(t)
	if ms > ulid.MaxTime() {
		return nil, ulid.ErrBigTime
	}
	hi, lo := ulidSequence.next()
	text = append(text, prefix...)
	text = appendDigits(text, ms, 10)
	text = appendDigits(text, uint64(hi)<<24|lo>>40, 8)
	text = appendDigits(text, lo, 8)
	if endsNames(component, prefix) {
		text = append(append(text, '-'), component...)
	}
	return text, nil
}

// appendDigits appends the last digits of n in the lower-case alphabet of ULIDs, of five bits
// each.
func appendDigits(text []byte, n uint64, digits int) []byte {
	for shift := 5 * (digits - 1); shift >= 0; shift -= 5 {
		text = append(text, "0123456789abcdefghjkmnpqrstvwxyz"[n>>shift&31])
	}
	return text
}

// IsMade reports whether name is what Append makes of prefix, component and t, with the
// component in it.
func IsMade(name, prefix, component string, t time.Time) bool {
	id, begins := strings.CutPrefix(name, prefix)
	id, ends := strings.CutSuffix(id, "-"+component)
	if !begins || !ends || !endsNames(component, prefix) || len(id) != ulid.EncodedSize {
		return false
	}
	parsed, err := ulid.ParseStrict(id)
	return err == nil && parsed.Time() == ulidTime(t)
}

// endsNames reports whether names with prefix can end with component: it is a DNS label,
// there is room for it, and prefix has nothing that looks like a ULID and a dash.
func endsNames(component, prefix string) bool {
	if component == "" || !IsPlain(component, validation.DNS1123LabelMaxLength) || len(prefix)+len("-")+len(component) > MaxPrefix {
		return false
	}
	if len(prefix) < ulid.EncodedSize {
		return true
	}
	for part := range strings.FieldsFuncSeq(prefix, func(r rune) bool { return r == '-' || r == '.' }) {
		if len(part) == ulid.EncodedSize {
			return false
		}
	}
	return true
}

func ulidTime(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }

// sequence is the random part of the ULIDs: it starts anywhere in the lower half
// of 80 bits and grows by a random step, so that of two events with the same
// time the one named later sorts later, even when others came between.
type sequence struct {
	mu      sync.Mutex
	started bool
	hi      uint16
	lo      uint64
}

var ulidSequence sequence

// next returns the next value.
func (s *sequence) next() (hi uint16, lo uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.started {
		var seed [10]byte
		_, _ = crand.Read(seed[:]) // never fails: crypto/rand ends the program first
		s.hi = binary.BigEndian.Uint16(seed[:2]) >> 1
		s.lo = binary.BigEndian.Uint64(seed[2:])
		s.started = true
	}
	before := s.lo
	s.lo += 1 + rand.Uint64N(1<<32)
	if s.lo < before {
		s.hi++
	}
	return s.hi, s.lo
}
