package seal

import "time"

// SetClock sets the clock of a component.
func (o *Options) SetClock(clock func() time.Time) { o.clock = clock }
