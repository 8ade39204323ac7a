package verify

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/paddock-dev/audit/internal/trail"
)

// log is what is known of one trail.
type log struct {
	id          string
	sightings   []sighting
	checkpoints []*checkpoint
	tombstones  []*tombstone
	unreadable  map[int32]trail.Ranges // by place, indices whose seals stand in what cannot be read

	// What settle finds.
	root  string        // the name of the trust's key that vouches for the trail's; "" for none
	good  []*checkpoint // those that agree, by their size
	known []segment
	size  int64 // of the last good one

	present  []trail.Ranges // by place
	intact   trail.Ranges
	moved    trail.Ranges // indices whose events stand under another index
	suspects []*sighting
	told     []trail.Hash // leaves of checkpoints of which something was said
	summary  Trail
}

// segment is a stretch of leaves that are proven.
type segment struct {
	from   int64
	leaves []trail.Hash
	// before is the tree up to from; nil where that is not known.
	before *trail.Frontier
}

func (s *segment) to() int64 { return s.from + int64(len(s.leaves)) }

// leaf returns the proven leaf of an index.
func (t *log) leaf(index int64) (trail.Hash, bool) {
	i, _ := slices.BinarySearchFunc(t.known, index, func(s segment, index int64) int {
		return cmp.Compare(s.to(), index+1)
	})
	if i == len(t.known) || index < t.known[i].from {
		return trail.Hash{}, false
	}
	return t.known[i].leaves[index-t.known[i].from], true
}

// rootAt returns the root of the tree of the first size leaves, where it is known.
func (t *log) rootAt(size int64) (trail.Hash, bool) {
	for i := range t.known {
		s := &t.known[i]
		if s.before == nil || size < s.from || size > s.to() {
			continue
		}
		f := s.before.Clone()
		for _, leaf := range s.leaves[:size-s.from] {
			f.Add(leaf)
		}
		return f.Root(), true
	}
	return trail.Hash{}, false
}

// covered returns the indices whose leaves are proven.
func (t *log) covered() (all trail.Ranges) {
	for i := range t.known {
		all = append(all, trail.Range{From: t.known[i].from, To: t.known[i].to()})
	}
	return trail.Ranges{}.Or(all)
}

// settle finds the key of a trail, and the leaves that it vouches for.
func (v *Verifier) settle(t *log) {
	slices.SortStableFunc(t.sightings, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(a.place, b.place))
	})
	t.summary = Trail{ID: t.id, FirstIndex: -1, LastIndex: -1, Places: []string{}}
	byKey := map[string][]*checkpoint{}
	var keys []string
	for _, c := range t.checkpoints {
		if code, err := c.check(t.id); err != nil {
			t.told = append(t.told, c.leaf)
			v.found(v.of(t, &c.sighting, code, LevelTampered, "the checkpoint is false: "+err.Error()))
			continue
		}
		if byKey[c.Key] == nil {
			keys = append(keys, c.Key)
		}
		byKey[c.Key] = append(byKey[c.Key], c)
	}
	key := v.chooseKey(t, keys, byKey)
	for _, other := range keys {
		for _, c := range byKey[other] {
			if other != key {
				t.told = append(t.told, c.leaf)
				v.found(v.of(t, &c.sighting, CodeOtherKey, LevelTampered, "the checkpoint is signed with another key than that of the trail"))
			}
		}
	}
	v.join(t, byKey[key])
	t.checkpoints = nil
}

// chooseKey returns the key of a trail among those that have good checkpoints; "" for none. A key for
// which the trust vouches is preferred, and then the one that was first.
func (v *Verifier) chooseKey(t *log, keys []string, byKey map[string][]*checkpoint) string {
	best, bestVouched := "", vouching{}
	for _, key := range keys {
		all := byKey[key]
		slices.SortStableFunc(all, func(a, b *checkpoint) int { return cmp.Compare(a.index, b.index) })
		vouched := v.vouch(all)
		better := best == "" || vouched.by != "" && bestVouched.by == ""
		if !better && (vouched.by != "") == (bestVouched.by != "") {
			better = all[0].index < byKey[best][0].index
		}
		if better {
			best, bestVouched = key, vouched
		}
	}
	if best == "" {
		return ""
	}
	cluster, component, _, _ := trail.SplitOrigin(byKey[best][0].head.Origin) // it was checked
	t.root, t.summary.Cluster, t.summary.Component = bestVouched.by, cluster, component
	if t.root != "" {
		t.summary.VouchedBy, t.summary.ServiceAccount, t.summary.Pod = bestVouched.by, bestVouched.account, bestVouched.pod
	}
	f := Finding{Code: CodeUnvouched, Level: LevelUndetermined, Trail: t.id, Index: -1, Last: -1, Text: "nobody vouches for the key of the trail: " + bestVouched.open}
	if len(bestVouched.wrong) > 0 {
		f.Code, f.Level, f.Text = CodeCertificate, LevelTampered, strings.Join(bestVouched.wrong, "; ")
	}
	if t.root == "" {
		v.found(f)
	}
	if c := bestVouched.uncovered; c != nil {
		v.found(v.of(t, &c.sighting, CodeUnvouched, LevelUndetermined, "nobody vouches for the key of the trail at the time of this checkpoint, "+c.time.UTC().Format(time.RFC3339)))
	}
	if at := bestVouched.begun; !at.IsZero() {
		f.Code, f.Level = CodeVouchedLate, LevelNote
		f.Text = fmt.Sprintf("the cluster vouched for the key of the trail at %s first: until then, the times in the trail are those of the component's clock alone", at.UTC().Format(time.RFC3339))
		v.found(f)
	}
	return best
}

// join makes one chain of checkpoints, which are good and in the order of their sizes.
func (v *Verifier) join(t *log, all []*checkpoint) {
	var last *checkpoint
	end := &trail.Frontier{}
	for _, c := range all {
		if last != nil && last.head == c.head {
			last.places = append(last.places, c.places...)
			continue
		}
		if c.Before.Size() > end.Size() {
			if !v.bridge(t, end, c) {
				v.fork(t, last, c)
				continue
			}
			end = new(c.Before.Clone())
		} else if last != nil && !extends(c, last) {
			v.fork(t, last, c)
			continue
		}
		s := segment{from: end.Size(), before: new(end.Clone())}
		s.leaves = append(s.leaves, c.Leaves[end.Size()-c.Before.Size():]...)
		s.leaves = append(s.leaves, c.leaf)
		for _, leaf := range s.leaves {
			end.Add(leaf)
		}
		t.known = append(t.known, s)
		c.Leaves = nil
		t.good, last, t.size = append(t.good, c), c, c.size()
	}
}

// extends reports whether the tree of c begins with that of an earlier one, from which on c has
// all leaves.
func extends(c, earlier *checkpoint) bool {
	f := c.Before.Clone()
	n := earlier.size() - f.Size()
	if n > int64(len(c.Leaves)) {
		return false // of one size, with another root
	}
	for _, leaf := range c.Leaves[:n] {
		f.Add(leaf)
	}
	return f.Root() == earlier.head.Root
}

// fork reports two checkpoints that exclude each other. The first one may be missing.
func (v *Verifier) fork(t *log, a, b *checkpoint) {
	t.told = append(t.told, b.leaf)
	f := v.of(t, &b.sighting, CodeFork, LevelTampered, "the checkpoint excludes what was signed before it")
	if a != nil {
		f.Text = fmt.Sprintf("the checkpoints of the indices %d and %d exclude each other, and both are signed", a.index, b.index)
		f.Notes = []string{a.Note, b.Note}
	}
	v.found(f)
}
