package seal

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/paddock-dev/audit/internal/trail"
)

// Board is where trails learn of each other's heads. Nothing on it is trusted: a head without the signature of its
// trail is ignored. It is safe for concurrent use.
type Board interface {
	// Exchange puts mine onto the board, in place of what the board has of that trail, and returns what it has of
	// others. It returns when ctx ends, and may return both others and an error.
	Exchange(ctx context.Context, mine Posted) (others []Posted, err error)
}

// Posted is what a board has of one trail.
type Posted struct {
	// Note is the signed head of the trail, in the form of golang.org/x/mod/sumdb/note. Its text is that of C2SP's
	// tlog-checkpoint, with the origin "<cluster>/<component>/<trail>".
	Note string
	// Key is the public key of the trail, in the same form. Certificate says who vouches for it; "" for nobody.
	Key, Certificate string
}

const (
	// postPause is the time between two exchanges of a life.
	postPause = time.Minute
	// maxPosting bounds the time of an exchange, so that no two of a life overlap.
	maxPosting = postPause / 2
	// maxNote bounds the note of an entry, in bytes, so that several heads fit into a checkpoint.
	maxNote = trail.MaxText / 4
)

// post has the head of the trail put onto the board, in the background, if it is not there. It returns when that may be
// done; zero for nothing to do.
func (l *life) post(ctx context.Context, now time.Time) (due time.Time) {
	if l.stage.opts.Board == nil || l.head.Size == l.posted {
		return time.Time{}
	}
	if due = l.postedAt.Add(postPause); now.Before(due) {
		return due
	}
	l.posted, l.postedAt = l.head.Size, now
	mine := l.posting()
	l.postings.Go(func() { l.stage.exchange(ctx, mine) })
	return time.Time{}
}

func (l *life) posting() Posted { return Posted{l.head.Note(), l.key, l.certificate()} }

// postLast ends what post has begun, and puts the head that closes the trail onto the board.
func (l *life) postLast(ctx context.Context, stop context.CancelFunc) {
	stop()
	l.postings.Wait()
	if l.stage.opts.Board != nil && ctx.Err() == nil {
		l.stage.exchange(ctx, l.posting())
	}
}

// exchange puts a head onto the board, and takes over what others have put there.
func (s *stage) exchange(ctx context.Context, mine Posted) {
	ctx, cancel := context.WithTimeout(ctx, min(s.opts.Timeout, maxPosting))
	defer cancel()
	found, err := s.opts.Board.Exchange(ctx, mine)
	s.metrics.ignored.Add(float64(s.others.take(found, time.Now())))
	if err != nil && !errors.Is(ctx.Err(), context.Canceled) {
		s.metrics.boardFailures.Inc()
		s.heard(nil, fmt.Errorf("exchanging the heads of trails with the board: %w", err))
	}
}

// take takes over what a board has, and returns how many entries it ignored. Of too many, it takes others each time.
func (o *others) take(found []Posted, now time.Time) (ignored int) {
	most := min(len(found), maxOthers)
	ignored = len(found) - most
	for i, start := 0, rand.IntN(len(found)+1); i < most; i++ {
		p := &found[(start+i)%len(found)]
		head, err := o.check(p)
		if err != nil || !o.put(p.Key, other{head: head, certificate: p.Certificate, first: now, seen: now}) {
			ignored++
		}
	}
	return ignored
}

// check returns the head of an entry if it is signed with the key beside it.
func (o *others) check(p *Posted) (head trail.SignedHead, err error) {
	if len(p.Note) > maxNote || len(p.Key) > trail.MaxText {
		return head, errors.New("it is too long")
	}
	if err := (trail.OtherKey{Key: p.Key, Certificate: p.Certificate}).Fits(); err != nil {
		return head, err
	}
	o.mu.Lock()
	head = o.all[p.Key].head
	o.mu.Unlock()
	if head.Note() == p.Note {
		return head, nil // it was checked before
	}
	if head, err = trail.ParseSignedHead(p.Note); err != nil {
		return head, err
	}
	return head, head.Open(p.Key)
}
