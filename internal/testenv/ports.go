package testenv

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

const loopback = "127.0.0.1"

// Ports are chosen below the ranges that systems hand out to outgoing connections (32768 and up on Linux, 49152
// and up elsewhere). Otherwise the port of a killed server can be taken by a client before the server's restart;
// a client that dials it again and again can even be connected to itself.
const (
	lowestPort  = 10000
	highestPort = 30000
)

// freeAddress returns a loopback host:port that nothing listens on now.
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

// freeAddresses returns n different ones.
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

// onFreePorts calls start again, with other ports, when another process took one of them in between.
func onFreePorts[T any](start func() (T, error)) (T, error) {
	const tries = 5
	for i := 1; ; i++ {
		t, err := start()
		if err == nil || i == tries || !errors.Is(err, errPortTaken) {
			return t, err
		}
	}
}

// splitAddress splits what freeAddress made.
func splitAddress(address string) (host, port string) {
	host, port, _ = net.SplitHostPort(address)
	return host, port
}
