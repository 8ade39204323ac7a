//go:build !race

package sinktest_test

const raceDetector = false
