package audithttp

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// source returns the address that a request came from; "" for a peer without one, as
// behind a Unix socket.
func source(r *http.Request, trusted []netip.Prefix) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	address := peer.Addr().Unmap()
	if !contains(trusted, address) {
		return address.String()
	}
	if forwarded, ok := forwardedFor(r.Header.Values("X-Forwarded-For"), trusted); ok {
		address = forwarded
	}
	return address.String()
}

// forwardedFor reads the header from its end, where the nearest proxy wrote, and no
// further than to an address that is not trusted: that one may have sent what stands
// before. It returns false when it meets anything but an address.
func forwardedFor(lines []string, trusted []netip.Prefix) (address netip.Addr, ok bool) {
	for _, line := range slices.Backward(lines) {
		for more := true; more; {
			var last string
			if i := strings.LastIndexByte(line, ','); i >= 0 {
				line, last = line[:i], line[i+1:]
			} else {
				last, more = line, false
			}
			next, err := netip.ParseAddr(strings.TrimSpace(last))
			if err != nil {
				return netip.Addr{}, false
			}
			if address = next.Unmap(); !contains(trusted, address) {
				return address, true
			}
		}
	}
	return address, address.IsValid()
}

// contains ignores the zone of an IPv6 address, as in fe80::1%eth0, for a prefix has none.
func contains(prefixes []netip.Prefix, address netip.Addr) bool {
	address = address.WithZone("")
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(address) })
}
