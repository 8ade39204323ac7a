package loki

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/paddock-dev/audit/auditing"
)

// Server is a kind of server that takes Loki's pushes.
type Server string

const (
	// ServerLoki is Grafana Loki. It refuses what it does not store, recognises an
	// entry that it is sent again, and keeps what it has confirmed in a
	// write-ahead log.
	ServerLoki Server = "loki"

	// ServerVictoriaLogs is VictoriaLogs on a single node. It answers 204 also for
	// an entry that it drops, stores an entry again that it is sent again, and
	// holds what it has answered in memory for some seconds
	// (-inmemoryDataFlushInterval, 5s), which are lost when its process is killed.
	// So the sink refuses what the server would drop (Options.Oldest and Newest),
	// readers fold rows by the field event, and the level is LevelAccepted.
	//
	// With LevelAcknowledged, Write returns nil only after three of those
	// intervals and 2 s, which are 17 s with the server's default and 5 s with
	// 1s, and only if the server says by then that it has run all the time. It
	// reads that from the server's /metrics. Writers wait side by side, and the
	// events of a batch together, so many are as fast as one: put a spool in front.
	ServerVictoriaLogs Server = "victorialogs"
)

// The defaults of VictoriaLogs' -retentionPeriod and -futureRetention.
const (
	victoriaOldest = 7 * 24 * time.Hour
	victoriaNewest = 2 * 24 * time.Hour
)

// prefix is the path of the push API before that of Loki itself.
func (s Server) prefix() string {
	if s == ServerVictoriaLogs {
		return "/insert"
	}
	return ""
}

// query is what the address of a push ends with. VictoriaLogs takes a line of
// JSON apart unless it is told not to: then no line is left, and a field of the
// event replaces the metadata of the same name.
func (s Server) query() string {
	if s == ServerVictoriaLogs {
		return "?disable_message_parsing=1"
	}
	return ""
}

// StatedLevel is the level of a Sink with these options: Level, or its default
// for the server.
func (o Options) StatedLevel() auditing.Level { return o.withServerDefaults().Level }

func (o Options) withServerDefaults() Options {
	setDefault(&o.Server, ServerLoki)
	if o.Server != ServerVictoriaLogs {
		setDefault(&o.Level, auditing.LevelAcknowledged)
		return o
	}
	setDefault(&o.Level, auditing.LevelAccepted)
	setDefault(&o.Oldest, victoriaOldest)
	setDefault(&o.Newest, victoriaNewest)
	setDefault(&o.ProveEvery, -1)
	return o
}

// maxVictoriaName bounds the name of a field, in bytes: VictoriaLogs drops an
// entry with a longer one.
const maxVictoriaName = 128

// numbers is a tenant of VictoriaLogs: an account, or an account and a project.
var numbers = regexp.MustCompile(`^[0-9]{1,10}(:[0-9]{1,10})?$`)

func (o Options) validateServer() error {
	var errs []error
	if o.Level != auditing.LevelAccepted && o.Level != auditing.LevelAcknowledged {
		errs = append(errs, fmt.Errorf("Options.Level: must be accepted or acknowledged, not %s", o.Level))
	}
	if o.Oldest < 0 {
		errs = append(errs, errors.New("Options.Oldest: must not be negative"))
	}
	if o.Newest < 0 {
		errs = append(errs, errors.New("Options.Newest: must not be negative"))
	}
	switch o.Server {
	case ServerLoki:
	case ServerVictoriaLogs:
		errs = append(errs, o.validateVictoriaLogs())
	default:
		errs = append(errs, fmt.Errorf("Options.Server: must be %s or %s", ServerLoki, ServerVictoriaLogs))
	}
	return errors.Join(errs...)
}

func (o Options) validateVictoriaLogs() error {
	var errs []error
	if o.ProveEvery > 0 {
		errs = append(errs, errors.New("Options.ProveEvery: VictoriaLogs confirms any timestamp, so it proves nothing: leave it out"))
	}
	if o.TenantID != "" && !numbers.MatchString(o.TenantID) {
		errs = append(errs, errors.New("Options.TenantID: VictoriaLogs takes numbers, such as 12 or 12:34"))
	}
	if o.Oldest <= o.margin() {
		errs = append(errs, fmt.Errorf("Options.Oldest: must be more than the margin of %s", o.margin()))
	}
	if o.Newest <= time.Minute {
		errs = append(errs, errors.New("Options.Newest: must be more than the margin of 1m"))
	}
	for name := range o.Labels {
		switch {
		case len(name) > maxVictoriaName:
			errs = append(errs, fmt.Errorf("Options.Labels: %.40q: VictoriaLogs takes names of at most %d bytes", name, maxVictoriaName))
		case name[:min(1, len(name))] == "_":
			errs = append(errs, fmt.Errorf("Options.Labels: %.40q: names with an underscore in front are VictoriaLogs' own", name))
		case isMetadata(name):
			errs = append(errs, fmt.Errorf("Options.Labels: %q is set from the event", name))
		}
	}
	return errors.Join(errs...)
}
