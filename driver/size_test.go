package driver

import (
	"testing"
	"unsafe"
)

// The allocator has a class of 768 bytes, of which it takes 8 for itself.
func TestAnEventFitsItsSizeClass(t *testing.T) {
	if size := unsafe.Sizeof(Event{}); size > 760 {
		t.Errorf("%d bytes, want at most 760", size)
	}
}
