package kubeseal_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/paddock-dev/audit/internal/testenv"
	"github.com/paddock-dev/audit/internal/trail"
	"github.com/paddock-dev/audit/sinks/seal"
	"github.com/paddock-dev/audit/sinks/seal/kubeseal"
)

// boards is a ConfigMap in a namespace of its own, and those who use it.
type boards struct {
	t      *testing.T
	client client.Client
	shared corev1.ConfigMap
}

func newBoards(t *testing.T, data map[string]string) *boards {
	t.Helper()
	server := testenv.SharedKube(t)
	c, err := client.New(server.Config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b := &boards{t: t, client: c, shared: corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: server.Namespace(t), Name: "audit-heads"}, Data: data}}
	if err := c.Create(t.Context(), &b.shared); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *boards) exchange(mine seal.Posted) ([]seal.Posted, error) {
	b.t.Helper()
	board, err := kubeseal.NewBoard(b.client, kubeseal.BoardOptions{Namespace: b.shared.Namespace})
	if err != nil {
		b.t.Fatal(err)
	}
	return board.Exchange(b.t.Context(), mine)
}

func (b *boards) mustExchange(mine seal.Posted) []seal.Posted {
	b.t.Helper()
	others, err := b.exchange(mine)
	if err != nil {
		b.t.Fatal(err)
	}
	return others
}

// data returns what the ConfigMap has.
func (b *boards) data() map[string]string {
	b.t.Helper()
	if err := b.client.Get(b.t.Context(), client.ObjectKeyFromObject(&b.shared), &b.shared); err != nil {
		b.t.Fatal(err)
	}
	return b.shared.Data
}

// ofTrail is a trail of a component, and its key on the board.
type ofTrail struct {
	posted seal.Posted
	key    string
}

func newOfTrail(t *testing.T, component string, size int64) ofTrail {
	t.Helper()
	id := trail.NewID()
	signer, key, err := trail.NewKey(trail.Origin("prod", component, id))
	if err != nil {
		t.Fatal(err)
	}
	head, err := trail.Head{Origin: signer.Name(), Size: size}.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	return ofTrail{seal.Posted{Note: head.Note(), Key: key, Certificate: "a certificate of\n" + component + "\n"}, component + "." + id}
}

func TestBoardHasTheLastHeadOfEachTrail(t *testing.T) {
	b := newBoards(t, nil)
	broker, proxy := newOfTrail(t, "broker", 1), newOfTrail(t, "proxy_2", 1)
	if got := b.mustExchange(broker.posted); len(got) > 0 {
		t.Errorf("an empty board has %v", got)
	}
	if got := b.mustExchange(proxy.posted); len(got) != 1 || got[0] != broker.posted {
		t.Errorf("got %v", got)
	}
	if got := b.mustExchange(broker.posted); len(got) != 1 || got[0] != proxy.posted {
		t.Errorf("got %v", got)
	}
	if keys := slices.Sorted(maps.Keys(b.data())); !slices.Equal(keys, []string{broker.key, proxy.key}) {
		t.Errorf("the ConfigMap has %v", keys)
	}
}

func TestManyAtOncePostWithoutConflict(t *testing.T) {
	b := newBoards(t, nil)
	var wg sync.WaitGroup
	for range 20 {
		mine := newOfTrail(t, "broker", 1).posted
		wg.Go(func() {
			if _, err := b.exchange(mine); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := len(b.data()); n != 20 {
		t.Errorf("%d entries of 20", n)
	}
}

// posted returns the text of an entry of a time.
func (o *ofTrail) text(t *testing.T, at time.Time) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{"time": at, "note": o.posted.Note, "key": o.posted.Key, "certificate": o.posted.Certificate})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestBoardForgetsWhatIsOutdatedOrNoEntry(t *testing.T) {
	mine, live, old, future := newOfTrail(t, "broker", 1), newOfTrail(t, "proxy", 1), newOfTrail(t, "proxy", 2), newOfTrail(t, "proxy", 3)
	b := newBoards(t, map[string]string{
		live.key: live.text(t, time.Now().Add(-6*24*time.Hour)), old.key: old.text(t, time.Now().Add(-8*24*time.Hour)), future.key: future.text(t, time.Now().AddDate(1, 0, 0)),
		"a-text": "hello", "a-list": "[]", "another-type": `{"note":7}`, "too-long": strings.Repeat("x", 900<<10),
	})
	got := b.mustExchange(mine.posted)
	empty := 0
	for _, p := range got {
		if p == (seal.Posted{}) {
			empty++
		}
	}
	if len(got) != 7 || empty != 4 || !slices.Contains(got, live.posted) || !slices.Contains(got, old.posted) {
		t.Errorf("got %d entries of 7, of which %d are empty", len(got), empty)
	}
	if keys := slices.Sorted(maps.Keys(b.data())); !slices.Equal(keys, []string{mine.key, live.key}) {
		t.Errorf("left are %v", keys)
	}
}

func TestBoardStaysSmall(t *testing.T) {
	data, size := map[string]string{}, 0
	filler := newOfTrail(t, "filler", 1)
	for i := 0; ; i++ {
		key, text := fmt.Sprintf("filler.%d", i), filler.text(t, time.Now().Add(-time.Duration(i)*time.Second))
		if size += len(key) + len(text); size > 1<<20 {
			break
		}
		data[key] = text
	}
	b := newBoards(t, data)
	mine := newOfTrail(t, "broker", 1)
	for range 8 {
		b.mustExchange(mine.posted)
		size = 0
		for key, text := range b.data() {
			size += len(key) + len(text)
		}
		if size <= 768<<10 {
			break
		}
	}
	left := b.data()
	if left["filler.0"] == "" || left[mine.key] == "" || size > 768<<10 || size < 700<<10 {
		t.Errorf("%d entries of %d bytes are left, own entry there: %v", len(left), size, left[mine.key] != "")
	}
}

func TestBoardSaysWhatIsMissing(t *testing.T) {
	b := newBoards(t, nil)
	mine := newOfTrail(t, "broker", 1).posted
	if err := b.client.Delete(t.Context(), &b.shared); err != nil {
		t.Fatal(err)
	}
	_, err := b.exchange(mine)
	if want := "there is no ConfigMap " + b.shared.Namespace + "/audit-heads"; err == nil || !apierrors.IsNotFound(err) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	mine.Certificate = strings.Repeat("x", 9<<10)
	if _, err := b.exchange(mine); err == nil || !strings.Contains(err.Error(), "its certificate is too long") {
		t.Errorf("a certificate of 9 KiB: %v", err)
	}
	if _, err := b.exchange(seal.Posted{Note: "x"}); err == nil {
		t.Error("a note that is none is posted")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	board, _ := kubeseal.NewBoard(b.client, kubeseal.BoardOptions{Namespace: b.shared.Namespace})
	if _, err := board.Exchange(ended, newOfTrail(t, "broker", 1).posted); !errors.Is(err, context.Canceled) {
		t.Errorf("of a context that has ended: %v", err)
	}
	if _, err := kubeseal.NewBoard(nil, kubeseal.BoardOptions{}); err == nil {
		t.Error("a board without a client is made")
	}
	for want, o := range map[string]kubeseal.BoardOptions{"that of a ConfigMap": {Name: "../secrets"}, "no name of one": {Namespace: "Audit"}} {
		if _, err := kubeseal.NewBoard(b.client, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
