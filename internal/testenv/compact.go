package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// CompactEtcd makes etcd forget all past states, as the API server makes it do every few minutes. An API server that is
// started afterwards answers 410 to the next page of a list that was begun before. An API server that was running may
// still have that state in memory.
func (k *Kube) CompactEtcd(ctx context.Context) error {
	var now struct {
		Header struct {
			Revision string `json:"revision"`
		} `json:"header"`
	}
	if err := k.askEtcd(ctx, "/v3/kv/range", map[string]any{"key": "AA==", "count_only": true}, &now); err != nil {
		return err
	}
	return k.askEtcd(ctx, "/v3/kv/compaction", map[string]any{"revision": now.Header.Revision, "physical": true}, nil)
}

func (k *Kube) askEtcd(ctx context.Context, path string, question, answer any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return fmt.Errorf("testenv: ask etcd: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.etcdURL+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("testenv: ask etcd: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("testenv: ask etcd: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("testenv: etcd answers %s to %s", resp.Status, path)
	}
	if answer == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(answer); err != nil {
		return fmt.Errorf("testenv: read etcd's answer to %s: %w", path, err)
	}
	return nil
}
