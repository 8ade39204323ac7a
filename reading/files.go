package reading

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/paddock-dev/audit/internal/disk"
)

// Files returns the source of the events in files of one JSON object a line: those that
// package sinks/log writes, through a zap core of a program as well, and any file that has a
// whole event a line.
//
// A path is that of a file, a pattern as filepath.Match takes it, or - for the standard
// input, which can be read once. Names that end in .gz or .zst are unpacked; zstd with a
// window of up to 8 MiB, which is more than it uses without --ultra and --long. The path of a
// file stands for its backups too, the files that sinks/log renamed beside it when it rotated
// (audit-2026-03-01T10-00-00.000-size.log beside audit.log, packed or not). A pattern stands
// only for what it matches. A file that several paths lead to is read once.
//
// Read yields a *Foreign for each file that has lines that are no events, and one with
// ErrUnfinished when a file ends within a line. For a Query that is Strict it yields another one with
// ErrTorn for lines that end within an event. Of lines that begin as this project writes
// them, those that the query's texts rule out are not looked at more closely: such a line may
// be damaged behind its begin. A file that cannot be read, that is missing or no regular file
// (a pipe, a directory), or that was truncated meanwhile, makes a *Failed behind the
// events of all other files. A backup that was removed meanwhile counts as removed before.
//
// Follow looks at the files five times a second. It goes on with the file that stands at a
// path when another one is renamed away, after it has read the old one to its end, and begins
// again at the start when a file was truncated. Backups that appear are read unless that has
// been done. It reports a file's foreign lines when they have doubled. Lines that were
// written and truncated away between two looks are lost, unless a pattern takes in the copy.
// A copy that is looked at before it is whole is taken for another file: its lines come twice.
//
// Memory is bounded, by about 32 MiB for lines of usual length. A line holds at most 4 MiB; a
// longer one is foreign.
func Files(name string, paths ...string) Follower { return FilesWithInput(name, os.Stdin, paths...) }

// FilesWithInput is Files with another standard input.
func FilesWithInput(name string, stdin io.Reader, paths ...string) Follower {
	return &files{name: name, paths: slices.Clone(paths), stdin: stdin}
}

type files struct {
	name  string
	paths []string
	stdin io.Reader
}

func (s *files) Name() string { return s.name }

// Read reads all files and sorts the events that q takes.
func (s *files) Read(ctx context.Context, q *Query) iter.Seq2[*Record, error] {
	return func(yield func(*Record, error) bool) {
		sorter := Sorter{Source: s.name}
		defer sorter.Close()
		var inputs []*input
		var failures []error
		for b, err := range scanned(ctx, newJudge(q, s.name), s.readAll) {
			if err == nil {
				err = b.found.err
			}
			for r := range s.taken(b, q) {
				err = errors.Join(err, sorter.Add(r))
			}
			if err != nil {
				yield(nil, &Failed{Source: s.name, Err: err})
				return
			}
			if b.err != nil {
				failures = append(failures, b.err)
			}
			if b.in != nil && !slices.Contains(inputs[max(0, len(inputs)-1):], b.in) { // they come one after the other
				inputs = append(inputs, b.in)
			}
		}
		for _, in := range inputs {
			if !in.report(yield) {
				return
			}
		}
		for r, err := range sorter.Sorted() {
			if err != nil {
				failures = append(failures, err)
				break
			}
			if !yield(r, nil) {
				return
			}
		}
		if len(failures) > 0 {
			yield(nil, &Failed{Source: s.name, Err: errors.Join(failures...)})
		}
	}
}

// taken yields the records of a block, and counts what else is in it; nil for no block.
func (s *files) taken(b *block, q *Query) iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		if b == nil || b.in == nil {
			return
		}
		in := b.in
		if b.skipped {
			in.lines++
			in.note(s.name, found{foreign: 1, cause: errLong, strict: q.Strict})
		}
		in.note(s.name, b.found)
		before := in.lines
		in.lines += b.found.lines
		for _, h := range b.found.hits {
			h.record.At = in.at(before + h.line)
			if !yield(h.record) {
				return
			}
		}
	}
}

func (in *input) at(line int) string { return fmt.Sprintf("%s:%d", in.path, line) }

// note counts the foreign lines of a stretch that begins behind in.lines.
func (in *input) note(source string, f found) {
	if in.foreign.Count == 0 && f.foreign > 0 || f.strict && in.foreign.Err == nil && f.cause != nil {
		in.foreign.Source, in.foreign.First, in.foreign.Err = source, in.at(in.lines+f.first), f.cause
	}
	in.foreign.Count += f.foreign
	if f.torn > 0 {
		if in.torn == nil {
			in.torn = &Foreign{Source: source, First: in.at(in.lines + f.firstTorn), Err: ErrTorn}
		}
		in.torn.Count += f.torn
	}
	if f.unfinished {
		in.unfinished = &Foreign{Source: source, Count: 1, First: in.at(in.lines + f.lines), Err: ErrUnfinished, Seals: f.seals}
	} else {
		in.foreign.AddSeals(f.seals)
	}
}

// report yields what was noted since it was last reported.
func (in *input) report(yield func(*Record, error) bool) bool {
	if in.foreign.Count > in.told {
		in.told = in.foreign.Count
		told := in.foreign // it may go on
		if !yield(nil, &told) {
			return false
		}
	}
	for _, noted := range []**Foreign{&in.torn, &in.unfinished} {
		if told := *noted; told != nil {
			*noted = nil
			if !yield(nil, told) {
				return false
			}
		}
	}
	return true
}

// readAll sends what stands in all files.
func (s *files) readAll(f *feed) {
	seen := &places{}
	for _, path := range s.paths {
		if path == standardInput {
			in, _ := openStandardInput(f.ctx, s.stdin, true)
			f.whole(in)
			continue
		}
		paths, err := expand(path)
		if err != nil {
			f.send(&block{err: err})
		}
		for _, file := range paths {
			if !f.named(file, file == path, seen) {
				return
			}
		}
	}
}

// named sends what stands in a file, and in its backups where they belong to it. It opens
// the file first: if it is rotated meanwhile, nothing comes between.
func (f *feed) named(path string, backups bool, seen *places) bool {
	in, err := open(path)
	if err != nil {
		f.send(&block{err: err})
	} else if !seen.add(&in.file.place) {
		in.close()
		return true
	}
	if backups {
		names, err := backupsOf(path)
		if err != nil {
			f.send(&block{err: err})
		}
		for _, name := range names {
			old, err := openBackup(name)
			switch {
			case errors.Is(err, fs.ErrNotExist):
			case err != nil:
				f.send(&block{err: err})
			case seen.add(&old.file.place):
				f.whole(old)
			default:
				old.close()
			}
		}
	}
	if in != nil {
		f.whole(in)
	}
	return f.ctx.Err() == nil
}

// whole sends what stands in a file, and closes it.
func (f *feed) whole(in *input) {
	defer in.close()
	c := &cutter{}
	err := f.read(in, c)
	if err == nil || !f.end(in, c) {
		return
	}
	if errors.Is(err, io.EOF) && in.file != nil && in.file.truncated() {
		err = fmt.Errorf("reading %s: it was truncated meanwhile", in.path)
	}
	if !errors.Is(err, io.EOF) {
		f.send(&block{in: in, err: err})
	}
}

// places are the files that were opened.
type places struct{ all []disk.Place }

// add reports whether the place is new.
func (s *places) add(p *disk.Place) bool {
	if slices.ContainsFunc(s.all, func(other disk.Place) bool { return p.Is(&other) }) {
		return false
	}
	s.all = append(s.all, *p)
	return true
}

// expand returns the files that a path stands for.
func expand(path string) ([]string, error) {
	if _, err := os.Lstat(path); err == nil || !strings.ContainsAny(path, `*?[`) {
		return []string{path}, nil
	}
	matches, err := filepath.Glob(path)
	if err == nil && len(matches) == 0 {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, fmt.Errorf("finding files by %s: %w", path, err)
	}
	return matches, nil
}

// backupsOf returns the paths of the backups of a log, without the suffixes of packed ones,
// the oldest first.
func backupsOf(path string) (paths []string, err error) {
	if isCompressed(path) {
		return nil, nil
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // backups stand beside it
	}
	found, err := disk.Backups(path, suffixGzip, suffixZstd)
	for _, b := range slices.Backward(found) {
		paths = append(paths, filepath.Join(filepath.Dir(path), b.Name))
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil // the error of opening the log says so
	}
	return paths, err
}

// openBackup opens a backup, packed or not.
func openBackup(path string) (in *input, err error) {
	for _, suffix := range []string{"", suffixGzip, suffixZstd} { // it may be packed meanwhile
		if in, err = open(path + suffix); !errors.Is(err, fs.ErrNotExist) {
			return in, err
		}
	}
	return nil, err
}
