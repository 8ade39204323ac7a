package flood_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/paddock-dev/audit/api/v1alpha1"
	"github.com/paddock-dev/audit/auditing"
	"github.com/paddock-dev/audit/auditing/sinktest"
	"github.com/paddock-dev/audit/internal/stagetest"
	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/sinks/flood"
)

// Events that stand alone reach the destination one by one, so that the whole
// suite, which looks for each by its name, holds.
func TestConformanceOfWhatStandsAlone(t *testing.T) {
	for _, d := range stagetest.Destinations {
		t.Run(d.Name, func(t *testing.T) {
			sinktest.Run(t, d.Harness(t, func(next auditing.Sink) (auditing.Sink, error) {
				return flood.New(next, flood.Options{StandAlone: append(flood.DefaultStandAlone(), v1alpha1.AuditKindEgressBlock)})
			}))
		})
	}
}

// collapsing are the clauses that write many events of one key at once and look
// for each by its name. What holds for them instead, that the counts add up and that
// a batch stays as it is, is asked by the tests of this package.
var collapsing = []string{
	"stores the events of 64 writers, each once", "answers every write when closed meanwhile",
	"gives each event of a batch its own outcome", "leaves the batch as it is",
}

func TestConformanceOfWhatIsCollapsed(t *testing.T) {
	clauses := sinktest.Clauses()
	for _, name := range collapsing {
		if !slices.ContainsFunc(clauses, func(c sinktest.Clause) bool { return c.Name == name }) {
			t.Errorf("there is no clause %q any more", name)
		}
	}
	for _, d := range stagetest.Destinations {
		t.Run(d.Name, func(t *testing.T) {
			h := d.Harness(t, func(next auditing.Sink) (auditing.Sink, error) {
				return flood.New(next, flood.Options{Window: 20 * time.Millisecond, StandAlone: []v1alpha1.AuditKind{}})
			})
			for _, clause := range clauses {
				if slices.Contains(collapsing, clause.Name) {
					continue
				}
				t.Run(clause.Name, func(t *testing.T) {
					if err := clause.Check(t.Context(), h).Err; err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

var (
	_ auditing.Sink   = (*flood.Sink)(nil)
	_ auditing.Closer = (*flood.Sink)(nil)
)

func TestMain(m *testing.M) {
	ctrl.SetLogger(logr.Discard())
	os.Exit(testenv.Run(m))
}
