package reading

import (
	"context"
	"fmt"
	"iter"
)

// Source reads the events of one place. It is safe for concurrent use.
type Source interface {
	// Name stands in records and errors, as in "cluster". No two sources of one call
	// have the same.
	Name() string
	// Read yields the events that q takes, in the order of Key. A *Foreign is no failure:
	// reading goes on after it. Any other error is the last thing that is yielded. Leaving
	// the loop early releases what the source holds.
	Read(ctx context.Context, q *Query) iter.Seq2[*Record, error]
}

// Follower is a Source that can wait for events.
type Follower interface {
	Source
	// Follow yields the events that q takes and that are stored from now on, soon after
	// they are, in the order in which the place shows them; events of q's window that are
	// stored already come first. It goes on after a failure of the place, which it yields
	// as an error, and ends with ctx. An event may be yielded more than once.
	Follow(ctx context.Context, q *Query) iter.Seq2[*Record, error]
}

// Foreign says that a source holds what is no event, such as other lines of a log file.
type Foreign struct {
	Source string
	// Count of what is no event, and where the first of it stands.
	Count int
	First string
	// Err says what is wrong with the first one; nil when it does not look like an event
	// at all. For a Query that is Strict, the first one is the first that looks like an event.
	Err error
	// Seals are the annotations paddock.dev/seal that stand in what is no event, as far as they
	// can be made out, up to MaxSeals. A Query that is Strict finds them, but for lines that end
	// within an event.
	Seals []string
}

// MaxSeals bounds the seals of a Foreign.
const MaxSeals = 10_000

// AddSeals adds seals, up to MaxSeals.
func (f *Foreign) AddSeals(seals []string) {
	f.Seals = append(f.Seals, seals[:min(len(seals), MaxSeals-len(f.Seals))]...)
}

// Error says how many there are and where the first one is.
func (f *Foreign) Error() string {
	text := fmt.Sprintf("%s: %d lines are no events, the first is %s", f.Source, f.Count, f.First)
	if f.Err != nil {
		text += ": " + f.Err.Error()
	}
	return text
}

// Unwrap returns what is wrong with the first one.
func (f *Foreign) Unwrap() error { return f.Err }

// Failed is the error of a source that could not be read to its end. Merge and Diff yield
// it and go on with the others.
type Failed struct {
	Source string
	Err    error
}

// Error names the source and the cause.
func (f *Failed) Error() string { return f.Source + ": " + f.Err.Error() }

// Unwrap returns the cause.
func (f *Failed) Unwrap() error { return f.Err }
