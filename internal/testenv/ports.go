package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const loopback = "127.0.0.1"

// The ports are below those that systems use for outgoing connections (from 32768 on Linux, from 49152 elsewhere).
// Otherwise an outgoing connection could take the port of a killed server before its restart. A client that dials that
// port repeatedly could even connect to itself.
const (
	lowestPort  = 10000
	highestPort = 30000
)

// freeAddress returns a loopback host:port on which no process listens now.
func freeAddress() (string, error) {
	var last error
	for range 100 {
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		address := net.JoinHostPort(loopback, strconv.Itoa(port))
		l, err := net.Listen("tcp", address)
		if err != nil {
			last = err
			continue
		}
		return address, l.Close()
	}
	return "", fmt.Errorf("testenv: find a free port on %s from %d to %d: %w", loopback, lowestPort, highestPort, last)
}

// freeAddresses returns n different free addresses.
func freeAddresses(n int) ([]string, error) {
	taken := make(map[string]bool, n)
	addresses := make([]string, 0, n)
	for len(addresses) < n {
		a, err := freeAddress()
		if err != nil {
			return nil, err
		}
		if !taken[a] {
			taken[a] = true
			addresses = append(addresses, a)
		}
	}
	return addresses, nil
}

// onFreePorts calls start with free ports. It does so again with other ports when another process has taken one of them
// in the meantime.
func onFreePorts[T any](start func() (T, error)) (T, error) {
	const tries = 5
	for i := 1; ; i++ {
		t, err := start()
		if err == nil || i == tries || !errors.Is(err, errPortTaken) {
			return t, err
		}
	}
}

// splitAddress splits an address of freeAddress into host and port.
func splitAddress(address string) (host, port string) {
	host, port, _ = net.SplitHostPort(address)
	return host, port
}
