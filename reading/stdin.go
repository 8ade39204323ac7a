package reading

import (
	"context"
	"io"
)

// standardInputStream reads the standard input on a goroutine of its own, because nothing
// can end a read of a pipe.
type standardInputStream struct {
	ctx context.Context
	// wait says that Read waits for bytes. Otherwise it returns io.EOF when none are there.
	wait   bool
	pieces chan []byte // of the goroutine
	err    error       // of the goroutine, set before pieces is closed
	rest   []byte
	ended  bool
}

func openStandardInput(ctx context.Context, from io.Reader, wait bool) (*input, *standardInputStream) {
	s := &standardInputStream{ctx: ctx, wait: wait, pieces: make(chan []byte)}
	go s.take(from)
	return &input{path: standardInput, reader: s, close: func() {}}, s
}

func (s *standardInputStream) take(from io.Reader) {
	defer close(s.pieces)
	for {
		piece := make([]byte, 64<<10)
		n, err := from.Read(piece)
		if n > 0 {
			select {
			case s.pieces <- piece[:n]:
			case <-s.ctx.Done():
				return
			}
		}
		if err != nil {
			s.err = err
			return
		}
	}
}

func (s *standardInputStream) Read(p []byte) (int, error) {
	if len(s.rest) == 0 {
		if err := s.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// next takes a piece from the goroutine.
func (s *standardInputStream) next() error {
	var piece []byte
	open := true
	if s.wait {
		select {
		case piece, open = <-s.pieces:
		case <-s.ctx.Done():
			return s.ctx.Err()
		}
	} else {
		select {
		case piece, open = <-s.pieces:
		default:
			return io.EOF
		}
	}
	if !open {
		s.ended = true
		return s.err
	}
	s.rest = piece
	return nil
}
