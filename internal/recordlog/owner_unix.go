//go:build unix

package recordlog

import (
	"os"
	"path/filepath"
	"syscall"
)

// giveToOwner gives a file the owner of its directory. It does nothing unless the process
// runs as root, because no other user may change owners.
func giveToOwner(path string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	info, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && (owner.Uid != 0 || owner.Gid != 0) {
		return os.Lchown(path, int(owner.Uid), int(owner.Gid))
	}
	return nil
}
