package trail

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Tombstone is what an event of the kind trail-reaped says: which sealed events a place is
// about to lose, because their retention is over.
type Tombstone struct {
	// Place is what auditors call the place. Other places are not spoken of.
	Place string
	// Keep is how long the policy keeps the events, as text.
	Keep string
	// Cutoff is a time that each of the events is older than.
	Cutoff time.Time
	// Archive is the chain of the sink that confirmed the events before; "" for none.
	Archive string
	// Checkpoints says that the events are those in which trails speak of themselves. They
	// are kept longest, so what stands before them in their trails has gone as well.
	Checkpoints bool
	// Reaped are the indices of the events.
	Reaped []Reaped
}

// Reaped are indices of a trail.
type Reaped struct {
	Trail  string
	Ranges Ranges
}

// Names of the entries of spec.detail.
const (
	keyPlace       = "place"
	keyKeep        = "keep"
	keyCutoff      = "cutoff"
	keyArchive     = "archive"
	keyCheckpoints = "checkpoints"
	keyReaped      = "reaped"
)

// Detail returns the tombstone as the entries of spec.detail. Each is at most MaxText long if
// the texts are, and Reaped is a part that Fit returns.
func (t *Tombstone) Detail() map[string]string {
	d := map[string]string{keyPlace: t.Place, keyKeep: t.Keep, keyCutoff: formatTime(t.Cutoff), keyReaped: join(t.Reaped)}
	if t.Archive != "" {
		d[keyArchive] = t.Archive
	}
	if t.Checkpoints {
		d[keyCheckpoints] = "true"
	}
	return d
}

// ParseTombstone parses what Detail returns, and nothing else.
func ParseTombstone(detail map[string]string) (*Tombstone, error) {
	t := &Tombstone{Place: detail[keyPlace], Keep: detail[keyKeep], Archive: detail[keyArchive], Checkpoints: detail[keyCheckpoints] != ""}
	if t.Place == "" {
		return nil, errors.New("place is missing")
	}
	var err error
	if t.Cutoff, err = time.Parse(time.RFC3339Nano, detail[keyCutoff]); err != nil {
		return nil, errors.New("cutoff is no time")
	}
	if t.Reaped, err = split(detail[keyReaped], parseReaped); err != nil {
		return nil, fmt.Errorf("reaped: %w", err)
	}
	return t, sole(detail, t.Detail())
}

// String prints "<trail> <ranges>".
func (r Reaped) String() string { return r.Trail + " " + r.Ranges.String() }

func parseReaped(line string) (Reaped, error) {
	id, text, _ := strings.Cut(line, " ")
	ranges, err := ParseRanges(text)
	if err != nil {
		return Reaped{}, err
	}
	if id == "" || len(ranges) == 0 {
		return Reaped{}, fmt.Errorf("%q is not a trail and ranges", clip(line))
	}
	return Reaped{id, ranges}, nil
}

// Fit cuts what is reaped into parts, each of which one tombstone has room for.
func Fit(all []Reaped) (parts [][]Reaped) {
	var part []Reaped
	room := 0
	for _, one := range all {
		for _, r := range one.Ranges {
			size, begin := len(Ranges{r}.String())+1, len(one.Trail)+1
			last := len(part) - 1
			same := last >= 0 && part[last].Trail == one.Trail
			if !same {
				size += begin
			}
			if size > room {
				if last >= 0 {
					parts = append(parts, part)
				}
				if same {
					size += begin
				}
				part, room, same = nil, MaxText, false
			}
			if room -= size; same {
				part[last].Ranges = append(part[last].Ranges, r)
			} else {
				part = append(part, Reaped{one.Trail, Ranges{r}})
			}
		}
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}
