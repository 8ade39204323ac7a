package kubeseal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/internal/options"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/seal"
)

const (
	// outdated is the age at which an entry is removed: its trail has ended long ago.
	outdated = 7 * 24 * time.Hour
	// skew is by how much a clock may be ahead.
	skew = time.Hour
	// maxEntry bounds an entry, in bytes, and maxData all of them: a ConfigMap holds 1 MiB.
	maxEntry, maxData = 8 << 10, 768 << 10
	// maxRemoved bounds the entries that one exchange removes.
	maxRemoved = 100
)

// BoardOptions of NewBoard.
type BoardOptions struct {
	// Name and Namespace of the ConfigMap, which exists; "audit-heads" and "audit-system", as deploy/ makes it, when empty.
	Name      string `yaml:"configMap" default:"audit-heads" doc:"name of the ConfigMap, which deploy/ makes"`
	Namespace string `yaml:"namespace" default:"audit-system" doc:"its namespace"`
}

// Validate returns everything that is wrong with the options. NewBoard asks it as well.
func (o BoardOptions) Validate() error { return o.complete() }

func (o *BoardOptions) complete() error {
	err := options.Complete(o)
	if len(validation.IsDNS1123Subdomain(o.Name)) > 0 {
		err = errors.Join(err, errors.New("the name is not that of a ConfigMap: want at most 253 lower-case letters, digits, dashes and dots"))
	}
	if len(validation.IsDNS1123Label(o.Namespace)) > 0 {
		err = errors.Join(err, errors.New("the namespace is no name of one: want at most 63 lower-case letters, digits and dashes"))
	}
	return err
}

// Board is a seal.Board in a ConfigMap, in which each trail has one key of data. It is safe for concurrent use.
//
// It needs the right to patch that ConfigMap, and no other: an empty patch reads it. Whoever has that right can silence
// the board, and can make nobody believe anything.
type Board struct {
	client client.Writer
	name   types.NamespacedName
}

var _ seal.Board = (*Board)(nil)

// NewBoard returns a Board. c is never read through, so that a manager's cached client starts no informer.
func NewBoard(c client.Writer, o BoardOptions) (*Board, error) {
	if c == nil {
		return nil, errors.New("kubeseal: the client is nil: give one")
	}
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("kubeseal: %w", err)
	}
	return &Board{c, types.NamespacedName{Namespace: o.Namespace, Name: o.Name}}, nil
}

// entry is what the board has of one trail, as JSON.
type entry struct {
	Time        time.Time `json:"time"`
	Note        string    `json:"note"`
	Key         string    `json:"key"`
	Certificate string    `json:"certificate,omitempty"`
}

// Exchange implements seal.Board. With the same patch it removes what is outdated, is no entry, or is too much. An entry
// that cannot be read is returned as an empty one.
func (b *Board) Exchange(ctx context.Context, mine seal.Posted) (others []seal.Posted, err error) {
	head, err := trail.ParseSignedHead(mine.Note)
	if err != nil {
		return nil, fmt.Errorf("kubeseal: the head to post: %w", err)
	}
	_, component, id, _ := trail.SplitOrigin(head.Origin) // it was split when it was parsed
	now := time.Now()
	text, err := json.Marshal(entry{now.UTC(), mine.Note, mine.Key, mine.Certificate})
	if err != nil {
		return nil, fmt.Errorf("kubeseal: the head to post: %w", err)
	}
	if len(text) > maxEntry {
		return nil, fmt.Errorf("kubeseal: the entry of trail %s has %d bytes, and the board takes %d: its certificate is too long", id, len(text), maxEntry)
	}
	data, err := b.patch(ctx, nil)
	if err != nil {
		return nil, err
	}
	own := component + "." + id
	delete(data, own)
	others, change := read(data, now)
	change[own] = string(text)
	_, err = b.patch(ctx, change)
	return others, err
}

// aged is the key of an entry with its time.
type aged struct {
	key  string
	time time.Time
	size int
}

// read returns the entries of the board, and the change that removes some of them.
func read(data map[string]string, now time.Time) (others []seal.Posted, change map[string]any) {
	change = map[string]any{}
	var fresh []aged
	size := maxEntry // one is going to be added
	for key, text := range data {
		var e entry
		good := len(text) <= maxEntry && json.Unmarshal([]byte(text), &e) == nil
		if !good {
			e = entry{}
		}
		others = append(others, seal.Posted{Note: e.Note, Key: e.Key, Certificate: e.Certificate})
		if now.Sub(e.Time) > outdated || e.Time.After(now.Add(skew)) {
			e.Time = time.Time{}
		}
		fresh = append(fresh, aged{key, e.Time, len(key) + len(text)})
		size += len(key) + len(text)
	}
	slices.SortFunc(fresh, func(a, b aged) int { return a.time.Compare(b.time) })
	for i := range fresh {
		if len(change) == maxRemoved || !fresh[i].time.IsZero() && size <= maxData {
			break
		}
		change[fresh[i].key] = nil
		size -= fresh[i].size
	}
	return others, change
}

// patch changes entries, and returns what the board then has. An empty change reads it.
func (b *Board) patch(ctx context.Context, change map[string]any) (data map[string]string, err error) {
	body := map[string]any{}
	if change != nil {
		body["data"] = change
	}
	text, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("kubeseal: %w", err)
	}
	var board unstructured.Unstructured
	// Older versions of client-go return nil where the context has ended: the error of the last attempt counts.
	_ = retry.RetryOnConflict(retry.DefaultBackoff, func() error {
		board = unstructured.Unstructured{}
		board.SetGroupVersionKind(schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"})
		board.SetNamespace(b.name.Namespace)
		board.SetName(b.name.Name)
		err = b.client.Patch(ctx, &board, client.RawPatch(types.MergePatchType, text))
		return err
	})
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("kubeseal: there is no ConfigMap %s to exchange heads on: apply deploy/, or create it empty: %w", b.name, err)
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("kubeseal: the ConfigMap %s may not be patched: bind the Role audit-heads in its namespace to the service account: %w", b.name, err)
	case err != nil:
		return nil, fmt.Errorf("kubeseal: patching the ConfigMap %s: %w", b.name, err)
	}
	data, _, err = unstructured.NestedStringMap(board.Object, "data")
	if err != nil {
		return nil, fmt.Errorf("kubeseal: the ConfigMap %s: %w", b.name, err)
	}
	return data, nil
}
