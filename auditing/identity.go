package auditing

import (
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/paddock-dev/audit/api/v1alpha1"
)

const (
	defaultGenerateName = "ae-"
	// A name is a DNS subdomain of at most 253 characters, its ULID included.
	maxGenerateName = validation.DNS1123SubdomainMaxLength - ulid.EncodedSize
)

// identify fixes what makes two writes of one event the same: its name and its
// exact time. It also sets the labels that repeat spec. Called again it writes
// nothing.
func identify(ae *v1alpha1.AuditEvent, component string) error {
	exact := EventTime(ae)
	text := make([]byte, 0, 128)
	if ae.Name == "" {
		if ae.GenerateName == "" {
			ae.GenerateName = defaultGenerateName
		}
		var err error
		if text, err = appendName(text, ae.GenerateName, exact); err != nil {
			return fmt.Errorf("naming the event: %w", err)
		}
	}
	named := len(text)
	text = exact.UTC().AppendFormat(text, time.RFC3339Nano)
	if named > 0 || ae.Annotations[v1alpha1.AnnotationTimestamp] != string(text) {
		both := string(text) // in one allocation
		if named > 0 {
			ae.Name = both[:named]
		}
		if ae.Annotations == nil {
			ae.Annotations = make(map[string]string, 1)
		}
		ae.Annotations[v1alpha1.AnnotationTimestamp] = both[named:]
	}
	if ae.Labels == nil {
		ae.Labels = make(map[string]string, 4)
	}
	setLabels(ae.Labels, &ae.Spec)
	if component != "" {
		setLabel(ae.Labels, v1alpha1.LabelComponent, component)
	}
	return nil
}

func setLabels(labels map[string]string, spec *v1alpha1.AuditEventSpec) {
	setLabel(labels, v1alpha1.LabelDecision, string(spec.Decision))
	setLabel(labels, v1alpha1.LabelKind, string(spec.Kind))
	if spec.RunRef != nil {
		setLabel(labels, v1alpha1.LabelRun, RunLabel(spec.RunRef.Name))
	} else {
		delete(labels, v1alpha1.LabelRun)
	}
}

// setLabel leaves a label that is right alone: looking costs less than writing.
func setLabel(labels map[string]string, key, value string) {
	if was, ok := labels[key]; !ok || was != value {
		labels[key] = value
	}
}

// EventTime returns when the decision was made, to the nanosecond where that is
// known: JSON keeps whole seconds in spec, and the annotation keeps the rest.
func EventTime(ae *v1alpha1.AuditEvent) time.Time {
	t := ae.Spec.Timestamp.Time
	if t.Nanosecond() != 0 {
		return t
	}
	exact, err := time.Parse(time.RFC3339Nano, ae.Annotations[v1alpha1.AnnotationTimestamp])
	if err != nil || exact.Unix() != t.Unix() {
		return t
	}
	return exact
}

// RunLabel returns the value of the label paddock.dev/run for a run: its name
// where that is a label value, and otherwise a readable prefix of it with a hash
// of the whole. Use it to select the events of a run.
func RunLabel(run string) string {
	if isLabelValue(run) {
		return run
	}
	sum := sha256.Sum256([]byte(run))
	hash := hex.EncodeToString(sum[:5])
	prefix := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '-'
	}, run[:min(len(run), validation.LabelValueMaxLength)])
	prefix = prefix[:min(len(prefix), validation.LabelValueMaxLength-1-len(hash))]
	prefix = strings.Trim(prefix, "-_.")
	if prefix == "" {
		return hash
	}
	return prefix + "-" + hash
}

// isLabelValue is validation.IsValidLabelValue without its regular expression and
// its texts: every write asks it several times.
func isLabelValue(s string) bool {
	for i := range len(s) {
		if letters[s[i]]&inLabel == 0 {
			return false
		}
	}
	return s == "" || letters[s[0]]&letters[s[len(s)-1]]&atLabelsEnds != 0 && len(s) <= validation.LabelValueMaxLength
}

// appendName appends prefix and a lower-case ULID of t. A time before 1970 counts
// as 1970, the earliest that a ULID can express.
func appendName(text []byte, prefix string, t time.Time) ([]byte, error) {
	var id ulid.ULID
	if err := id.SetTime(ulidTime(t)); err != nil {
		return nil, err
	}
	ulidSequence.next((*[10]byte)(id[6:]))
	var upper [ulid.EncodedSize]byte
	if err := id.MarshalTextTo(upper[:]); err != nil {
		return nil, err
	}
	text = append(text, prefix...)
	for _, c := range upper {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		text = append(text, c)
	}
	return text, nil
}

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

// next fills p with the next value.
func (s *sequence) next(p *[10]byte) {
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
	binary.BigEndian.PutUint16(p[:2], s.hi)
	binary.BigEndian.PutUint64(p[2:], s.lo)
}

var lastNow atomic.Int64

// now returns the present time. No two calls in this process return the same
// nanosecond, so that events recorded in a row keep their order.
func now() time.Time {
	for {
		t := time.Now().UnixNano()
		last := lastNow.Load()
		t = max(t, last+1)
		if lastNow.CompareAndSwap(last, t) {
			return time.Unix(0, t).UTC()
		}
	}
}

// NamedByLibrary reports whether the event's name is one that this package made
// for it: generateName and a ULID of the event's own time.
func NamedByLibrary(ae *v1alpha1.AuditEvent) bool {
	id, ok := strings.CutPrefix(ae.Name, ae.GenerateName)
	if !ok || len(id) != ulid.EncodedSize {
		return false
	}
	parsed, err := ulid.ParseStrict(id)
	return err == nil && parsed.Time() == ulidTime(EventTime(ae))
}

func ulidTime(t time.Time) uint64 { return uint64(max(t.UnixMilli(), 0)) }
