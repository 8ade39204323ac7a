package loki

import (
	"fmt"
	"time"

	"github.com/paddock-dev/audit/driver"
)

// margin is left within Oldest and Newest: the clocks of two machines differ, and
// the server looks at an entry as late as its push may last.
func (o Options) margin() time.Duration { return time.Minute + o.PushTimeout }

// keeps returns an error when the server would drop e for its time.
func (o Options) keeps(e *driver.Event) error {
	if o.Oldest == 0 && o.Newest == 0 {
		return nil
	}
	at, now := e.Time(), time.Now()
	if o.Oldest > 0 && at.Before(now.Add(-o.Oldest+o.margin())) {
		return fmt.Errorf("not sent: the event is of %s, and the server keeps nothing older than %s (Options.Oldest, with a margin of %s): "+
			"it would confirm the event and drop it", at.Format(time.RFC3339), o.Oldest, o.margin())
	}
	if o.Newest > 0 && at.After(now.Add(o.Newest-time.Minute)) {
		return fmt.Errorf("not sent: the event is of %s, and the server takes nothing further ahead than %s (Options.Newest, with a margin of 1m): "+
			"it would confirm the event and drop it", at.Format(time.RFC3339), o.Newest)
	}
	return nil
}
