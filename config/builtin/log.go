package builtin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"

	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/config"
	"github.com/paddock-dev/audit/sinks/log"
)

type logSection struct {
	Path       string `yaml:"path" required:"true" doc:"stdout, stderr, or the path of a file in a directory that exists"`
	Fsync      bool   `yaml:"fsync" doc:"make every event durable before it counts as written; for a file"`
	MaxSizeMB  int    `yaml:"maxSizeMB" min:"1" max:"1048576" doc:"size in MiB at which the file is rotated"`
	MaxAgeDays int    `yaml:"maxAgeDays" min:"0" max:"36500" doc:"days after which a rotated file is removed; 0 keeps all"`
	MaxBackups int    `yaml:"maxBackups" min:"0" max:"1000000" doc:"how many rotated files are kept; 0 keeps all"`
	Compress   bool   `yaml:"compress" doc:"compress rotated files with gzip; not with fsync"`
	Mode       string `yaml:"mode" doc:"permissions of a file that is created, in octal and in quotes"`
}

const (
	toStdout = "stdout"
	toStderr = "stderr"
)

func newLog() config.Section { return &logSection{MaxSizeMB: 100, Mode: "0600"} }

func (s *logSection) stream() bool { return s.Path == toStdout || s.Path == toStderr }

func (s *logSection) mode() (fs.FileMode, error) {
	mode, err := strconv.ParseUint(s.Mode, 8, 32)
	if err != nil || mode == 0 || mode > 0o777 {
		return 0, errors.New(`want permissions in octal, such as "0640"`)
	}
	return fs.FileMode(mode), nil
}

func (s *logSection) Validate() error {
	_, err := s.mode()
	err = config.At("mode", err)
	if s.Fsync && s.Compress {
		err = errors.Join(err, config.At("compress", errors.New("excludes fsync: a backup is removed before its compressed form is on the disk")))
	}
	if s.Fsync && s.stream() {
		err = errors.Join(err, config.At("fsync", errors.New("is for a file: a stream cannot be made durable")))
	}
	return err
}

func (s *logSection) Resources(string) []string {
	if s.stream() {
		return nil
	}
	path, err := filepath.Abs(s.Path)
	if err != nil {
		path = s.Path
	}
	return []string{"file " + path}
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
	mode, err := s.mode()
	if err != nil {
		return nil, err
	}
	return log.NewFile(s.Path, log.FileOptions{
		Fsync: s.Fsync, MaxSizeMB: s.MaxSizeMB, MaxAgeDays: s.MaxAgeDays, MaxBackups: s.MaxBackups,
		Compress: s.Compress, Mode: mode,
	})
}
