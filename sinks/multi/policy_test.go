package multi_test

import (
	"context"
	"strings"
	"testing"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/sinks/multi"
)

// leveled is a sink of which only the level and the name matter.
type leveled struct {
	sinktest.Recorder
	level auditing.Level
	name  string
}

func (l *leveled) Level() auditing.Level { return l.level }
func (l *leveled) String() string        { return l.name }

func TestNewRefusesWhatNoWriteCouldSatisfy(t *testing.T) {
	a, b := multi.Child{Name: "a", Sink: &sinktest.Recorder{}}, multi.Child{Name: "b", Sink: &sinktest.Recorder{}}
	two := []multi.Child{a, b}
	for name, test := range map[string]struct {
		children []multi.Child
		opts     multi.Options
		want     string
	}{
		"no children":           {nil, multi.Options{}, "no children"},
		"a nil sink":            {[]multi.Child{a, {Name: "b"}}, multi.Options{}, `child 1 ("b") is nil`},
		"one name twice":        {[]multi.Child{a, a}, multi.Options{}, `two children are named "a"`},
		"one chain twice":       {[]multi.Child{{Sink: a.Sink}, {Sink: b.Sink}}, multi.Options{}, `named "recorder"`},
		"at least none":         {two, multi.Options{Require: multi.AtLeast(0)}, "at least 0 of 2"},
		"more than there are":   {two, multi.Options{Require: multi.AtLeast(3)}, "at least 3 of 2"},
		"no required name":      {two, multi.Options{Require: multi.Named()}, "no child is required"},
		"an unknown name":       {two, multi.Options{Require: multi.Named("c")}, `"c" does not exist: there are "a", "b"`},
		"a name required twice": {two, multi.Options{Require: multi.Named("a", "a")}, "twice"},
		"a negative timeout":    {[]multi.Child{{Name: "a", Sink: a.Sink, Timeout: -1}}, multi.Options{}, "timeout"},
		"a negative limit":      {two, multi.Options{MaxStragglers: -1}, "MaxStragglers"},
	} {
		sink, err := multi.New(test.children, test.opts)
		if err == nil || sink != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: the error is %v, want %q in it", name, err, test.want)
		}
	}
}

func TestTheChainAndTheLevelFollowTheRequirement(t *testing.T) {
	children := []multi.Child{
		{Name: "kube", Sink: &leveled{level: auditing.LevelAcknowledged, name: "kube"}},
		{Name: "console", Sink: &leveled{level: auditing.LevelAccepted, name: "log(stderr)"}},
		{Name: "disk", Sink: &leveled{level: auditing.LevelDurable, name: "spool"}},
	}
	for _, test := range []struct {
		require multi.Policy
		chain   string
		level   auditing.Level
	}{
		{multi.Policy{}, "multi(all)", auditing.LevelAcknowledged},
		{multi.All(), "multi(all)", auditing.LevelAcknowledged},
		{multi.Any(), "multi(any)", auditing.LevelAccepted},
		{multi.AtLeast(1), "multi(atleast(1))", auditing.LevelAccepted},
		{multi.AtLeast(2), "multi(atleast(2))", auditing.LevelDurable},
		{multi.AtLeast(3), "multi(atleast(3))", auditing.LevelAcknowledged},
		{multi.Named("console"), "multi(required(console))", auditing.LevelAccepted},
		{multi.Named("console", "disk"), "multi(required(console, disk))", auditing.LevelDurable},
	} {
		sink, err := multi.New(children, multi.Options{Require: test.require})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := auditing.Chain(sink), test.chain+"[kube, log(stderr), spool]"; got != want {
			t.Errorf("the chain is %s, want %s", got, want)
		}
		if got := auditing.LevelOf(sink); got != test.level {
			t.Errorf("%s: the level is %s, want %s", test.chain, got, test.level)
		}
	}
}

var _ auditing.Closer = (*multi.Sink)(nil)

// write writes a new event and returns it.
func write(ctx context.Context, s auditing.Sink) (*v1alpha1.AuditEvent, error) {
	ae := auditing.NewEvent(auditing.EventInput{
		Namespace: "team-a", Kind: "tea-brewed", Decision: v1alpha1.AuditDecisionDenied,
		Detail: map[string]string{"leaf": "green"},
	})
	return ae, s.Write(ctx, ae)
}
