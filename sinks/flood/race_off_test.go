//go:build !race

package flood_test

// manyKeys is how many different keys a hostile workload uses.
const manyKeys = 1_000_000
