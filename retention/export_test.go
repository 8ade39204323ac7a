package retention

import "time"

// SetLocalClock replaces the clock of this machine for Reapers that are made before the
// returned function is called.
func SetLocalClock(now func() time.Time) (restore func()) {
	before := localClock
	localClock = now
	return func() { localClock = before }
}

// SetClaimRenewal replaces how often the Lease is renewed by Reapers that are made before
// the returned function is called.
func SetClaimRenewal(every time.Duration) (restore func()) {
	before := claimRenewal
	claimRenewal = every
	return func() { claimRenewal = before }
}
