package builtin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/internal/paths"
	"github.com/paddock-dev/audit/sinks/log"
)

type logSection struct {
	Path            string `yaml:"path" required:"true" doc:"stdout, stderr, or the path of a file in a directory that exists"`
	log.FileOptions `yaml:",inline"`
	Mode            string `yaml:"mode" default:"0600" doc:"permissions of a file that is created, in octal and in quotes"`
}

const (
	toStdout = "stdout"
	toStderr = "stderr"
)

func (s *logSection) stream() bool { return s.Path == toStdout || s.Path == toStderr }

func (s *logSection) mode() (fs.FileMode, error) {
	mode, err := strconv.ParseUint(s.Mode, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		return 0, errors.New(`want permissions in octal, such as "0640"`)
	}
	return fs.FileMode(mode), nil
}

// Validate joins the errors of the options of the sink and of the keys that only the file has.
func (s *logSection) Validate() error {
	_, mode := s.mode()
	err := errors.Join(s.FileOptions.Validate(), config.At("mode", mode))
	if s.Fsync && s.stream() {
		err = errors.Join(err, config.At("fsync", errors.New("is for a file: a stream cannot be made durable")))
	}
	return err
}

func (s *logSection) Resources(string) []string {
	if s.stream() {
		return nil
	}
	return []string{"file " + paths.Resolve(s.Path)}
}

// Place implements config.Storing. A stream keeps nothing.
func (s *logSection) Place() any {
	if s.stream() {
		return nil
	}
	return LogPlace{s.Path}
}

func (s *logSection) Plan(config.Planning) config.Plan {
	p := config.Plan{Chain: fmt.Sprintf("log(%s)", s.Path), Level: auditing.LevelAccepted}
	if s.Fsync {
		p.Level = auditing.LevelDurable
	}
	return p
}

func (s *logSection) Open(context.Context, config.Opening) (auditing.Sink, error) {
	switch s.Path {
	case toStdout:
		return log.Stdout(log.Options{}), nil
	case toStderr:
		return log.Stderr(log.Options{}), nil
	}
	opts := s.FileOptions
	var err error
	if opts.Mode, err = s.mode(); err != nil {
		return nil, err
	}
	return log.NewFile(s.Path, opts)
}
