package testenv

import (
	"context"
	"fmt"
	"strconv"
)

// EtcdSize is what etcd holds.
type EtcdSize struct {
	Objects     int64 // under the prefix that was asked for
	ObjectBytes int64 // of their keys and values
	InUse       int64 // bytes of the database file that are in use, also by what etcd stores in addition to values
}

// EtcdPair is an object as etcd stores it.
type EtcdPair struct {
	Key   []byte `json:"key"`
	Value []byte `json:"value"`
}

// EtcdPairs returns the objects whose keys begin with prefix, such as "/registry/pods/".
func (k *Kube) EtcdPairs(ctx context.Context, prefix string) ([]EtcdPair, error) {
	var found struct {
		Pairs []EtcdPair `json:"kvs"`
	}
	end := []byte(prefix)
	end[len(end)-1]++ // the first key after all keys with the prefix
	err := k.askEtcd(ctx, "/v3/kv/range", map[string]any{"key": []byte(prefix), "range_end": end}, &found)
	return found.Pairs, err
}

// EtcdSize returns the size of the objects whose keys begin with prefix, such as "/registry/pods/", and of the whole
// database.
func (k *Kube) EtcdSize(ctx context.Context, prefix string) (size EtcdSize, err error) {
	pairs, err := k.EtcdPairs(ctx, prefix)
	if err != nil {
		return size, err
	}
	for _, pair := range pairs {
		size.Objects++
		size.ObjectBytes += int64(len(pair.Key) + len(pair.Value))
	}
	// etcd counts only what it has committed. It commits ten times a second, and before it answers a request for a hash.
	if err := k.askEtcd(ctx, "/v3/maintenance/hash", map[string]any{}, nil); err != nil {
		return size, err
	}
	var status struct {
		InUse string `json:"dbSizeInUse"`
	}
	if err := k.askEtcd(ctx, "/v3/maintenance/status", map[string]any{}, &status); err != nil {
		return size, err
	}
	if size.InUse, err = strconv.ParseInt(status.InUse, 10, 64); err != nil {
		return size, fmt.Errorf("testenv: read the size of etcd's database: %w", err)
	}
	return size, nil
}
