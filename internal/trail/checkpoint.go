package trail

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/internal/canonical"
)

// IsCheckpoint reports whether events of the kind hold checkpoints.
func IsCheckpoint(kind v1alpha1.AuditKind) bool {
	return kind == canonical.KindTrailOpened || kind == canonical.KindTrailCheckpoint || kind == canonical.KindTrailClosed
}

// MaxLeaves is how many leaves one checkpoint carries at most: with them and with all else at
// its longest, spec.detail is within its bounds.
const MaxLeaves = 22 * leavesPerText

// MaxText is how long one entry of a checkpoint may be.
const MaxText = v1alpha1.MaxDetailValueLength

// Checkpoint is what the event of a checkpoint says of its trail. The event is itself a leaf,
// the one of index From+len(Leaves), and the note is signed over the tree that it completes.
type Checkpoint struct {
	// Key is the trail's public key, in the form of golang.org/x/mod/sumdb/note.
	Key string
	// Certificate says who vouches for Key; "" before somebody does.
	Certificate string
	// Before stands for the leaves that the checkpoint does not carry.
	Before Frontier
	// Leaves are those from Before.Size() on.
	Leaves []Hash
	// Settled are the indices that the checkpoint tells the outcome of. They were stored, but
	// for those in Failed and Unclear.
	Settled         Range
	Failed, Unclear Ranges
	// Stored are indices that were stored after an earlier checkpoint had told them failed or unclear.
	Stored Ranges
	// Lacks says which places will never hold some events that were taken for stored.
	Lacks []Lack
	// First and Last are the earliest and the latest time among the events from Before on.
	First, Last time.Time
	// Heads are heads of other trails, signed with the keys of those.
	Heads []SignedHead
	// Keys are keys of other trails, with their certificates, so that their heads can be checked when nothing else is
	// left of them.
	Keys []OtherKey
	// Note is the signed head of the tree.
	Note string
}

// Lack says that a place does not hold some events of a trail.
type Lack struct {
	Trail  string
	Ranges Ranges
	Place  string
}

// Index returns the index of the checkpoint's own leaf.
func (c *Checkpoint) Index() int64 { return c.Before.Size() + int64(len(c.Leaves)) }

// Names of the entries of spec.detail.
const (
	keyKey         = "key"
	keyCertificate = "certificate"
	keyFrom        = "from"
	keyFrontier    = "frontier"
	keyLeaves      = "leaves." // with a number of two digits
	keySettled     = "settled"
	keyFailed      = "failed"
	keyUnclear     = "unclear"
	keyStored      = "stored"
	keyLacks       = "lacks"
	keyFirst       = "first"
	keyLast        = "last"
	keyHeads       = "heads"
	keyKeys        = "keys."              // with a number of two digits
	keyNote        = canonical.DetailNote // the one entry that the checkpoint's leaf leaves out
)

// leavesPerText is how many leaves fit into one entry.
const leavesPerText = MaxText / 4 * 3 / tlog.HashSize

// Detail returns the checkpoint as the entries of spec.detail. Each is at most MaxText long
// if the ranges, lacks and heads are.
func (c *Checkpoint) Detail() map[string]string {
	d := map[string]string{keyKey: c.Key, keyFrom: fmt.Sprint(c.Before.Size())}
	set := func(key, text string) {
		if text != "" {
			d[key] = text
		}
	}
	set(keyCertificate, c.Certificate)
	set(keyFrontier, encodeHashes(c.Before.Hashes()))
	for i := 0; i*leavesPerText < len(c.Leaves); i++ {
		d[fmt.Sprintf("%s%02d", keyLeaves, i)] = encodeHashes(c.Leaves[i*leavesPerText : min((i+1)*leavesPerText, len(c.Leaves))])
	}
	if c.Settled.To > c.Settled.From {
		d[keySettled] = Ranges{c.Settled}.String()
	}
	set(keyFailed, c.Failed.String())
	set(keyUnclear, c.Unclear.String())
	set(keyStored, c.Stored.String())
	set(keyLacks, join(c.Lacks))
	set(keyHeads, join(c.Heads))
	for i, k := range c.Keys {
		d[fmt.Sprintf("%s%02d", keyKeys, i)] = k.String()
	}
	if !c.First.IsZero() {
		d[keyFirst], d[keyLast] = formatTime(c.First), formatTime(c.Last)
	}
	set(keyNote, c.Note)
	return d
}

// ParseCheckpoint parses what Detail returns, and nothing else. It does not open the note.
func ParseCheckpoint(detail map[string]string) (*Checkpoint, error) {
	c := &Checkpoint{Key: detail[keyKey], Certificate: detail[keyCertificate], Note: detail[keyNote]}
	from, err := parseIndex(detail[keyFrom])
	if err != nil {
		return nil, fmt.Errorf("from: %w", err)
	}
	before, err := decodeHashes(detail[keyFrontier])
	if err == nil {
		c.Before, err = NewFrontier(from, before)
	}
	if err != nil {
		return nil, fmt.Errorf("frontier: %w", err)
	}
	for i := 0; i*leavesPerText < MaxLeaves; i++ {
		key := fmt.Sprintf("%s%02d", keyLeaves, i)
		leaves, err := decodeHashes(detail[key])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		c.Leaves = append(c.Leaves, leaves...)
	}
	if err := c.parseOutcomes(detail); err != nil {
		return nil, err
	}
	if c.Lacks, err = split(detail[keyLacks], parseLack); err != nil {
		return nil, fmt.Errorf("lacks: %w", err)
	}
	if err := c.parseOthers(detail); err != nil {
		return nil, err
	}
	for key, t := range map[string]*time.Time{keyFirst: &c.First, keyLast: &c.Last} {
		if text, ok := detail[key]; ok {
			if *t, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return nil, fmt.Errorf("%s is no time", key)
			}
		}
	}
	if err := sole(detail, c.Detail()); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Checkpoint) parseOutcomes(detail map[string]string) error {
	settled, err := ParseRanges(detail[keySettled])
	if err != nil || len(settled) > 1 {
		return errors.New("settled is no range of indices")
	}
	if len(settled) == 1 {
		c.Settled = settled[0]
	}
	if c.Failed, err = ParseRanges(detail[keyFailed]); err != nil {
		return fmt.Errorf("failed: %w", err)
	}
	if c.Unclear, err = ParseRanges(detail[keyUnclear]); err != nil {
		return fmt.Errorf("unclear: %w", err)
	}
	if c.Stored, err = ParseRanges(detail[keyStored]); err != nil {
		return fmt.Errorf("stored: %w", err)
	}
	return nil
}

// parseOthers parses what is said of other trails.
func (c *Checkpoint) parseOthers(detail map[string]string) (err error) {
	if c.Heads, err = split(detail[keyHeads], parseSignedLine); err != nil {
		return fmt.Errorf("heads: %w", err)
	}
	if len(c.Heads) > MaxHeads {
		return fmt.Errorf("heads: there are %d, and a checkpoint has at most %d", len(c.Heads), MaxHeads)
	}
	for i := range MaxHeads {
		key := fmt.Sprintf("%s%02d", keyKeys, i)
		text, ok := detail[key]
		if !ok {
			break
		}
		k, err := parseOtherKey(text)
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		c.Keys = append(c.Keys, k)
	}
	return nil
}

// sole refuses a second spelling of what was parsed, and entries that it does not know. want
// is the one spelling.
func sole(detail, want map[string]string) error {
	for key, text := range detail {
		if want[key] != text {
			return fmt.Errorf("the entry %q is not as it is written", clip(key))
		}
	}
	return nil
}

func encodeHashes(hashes []Hash) string {
	raw := make([]byte, 0, len(hashes)*tlog.HashSize)
	for i := range hashes {
		raw = append(raw, hashes[i][:]...)
	}
	return base64.StdEncoding.EncodeToString(raw)
}

func decodeHashes(text string) ([]Hash, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(raw)%tlog.HashSize != 0 {
		return nil, errors.New("want hashes of 32 bytes in base64")
	}
	hashes := make([]Hash, len(raw)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], raw[i*tlog.HashSize:])
	}
	return hashes, nil
}

func formatTime(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// join prints each item on a line.
func join[T fmt.Stringer](items []T) string {
	lines := make([]string, len(items))
	for i, item := range items {
		lines[i] = item.String()
	}
	return strings.Join(lines, "\n")
}

func split[T any](text string, parse func(line string) (T, error)) (items []T, err error) {
	if text == "" {
		return nil, nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		item, err := parse(line)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// String prints "<trail> <ranges> <place>".
func (l Lack) String() string { return l.Trail + " " + l.Ranges.String() + " " + l.Place }

func parseLack(line string) (Lack, error) {
	parts := strings.SplitN(line, " ", 3)
	if len(parts) != 3 || parts[2] == "" {
		return Lack{}, fmt.Errorf("%q is not a trail, ranges and a place", clip(line))
	}
	ranges, err := ParseRanges(parts[1])
	if err != nil {
		return Lack{}, err
	}
	return Lack{parts[0], ranges, parts[2]}, nil
}
