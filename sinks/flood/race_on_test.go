//go:build race

package flood_test

// manyKeys is a tenth of what it is without the race detector, under which a
// goroutine takes ten times as long.
const manyKeys = 128_000
