package lokitest

import (
	"fmt"
	"net/http"
	"time"
)

// Config configures a stand-in. Its keys have the meaning that they have in Loki's configuration. The zero value has one
// tenant and Loki's default limits, and stores in memory.
type Config struct {
	// AuthEnabled makes every request name its tenant in X-Scope-OrgID. Without it there is one tenant.
	AuthEnabled bool `json:"auth_enabled"`

	// MaxChunkAge is ingester.max_chunk_age. "2h" when empty. An entry may be behind its stream's newest by
	// half of that.
	MaxChunkAge string `json:"max_chunk_age,omitempty"`

	// Limits are keys of limits_config.
	Limits map[string]any `json:"limits_config,omitempty"`

	// Overrides are keys of limits_config for each tenant. They take precedence over Limits.
	Overrides map[string]map[string]any `json:"overrides,omitempty"`

	// Dir is an existing folder in which the stand-in stores what it has confirmed. New reads it back. When empty, the
	// stand-in stores in memory.
	Dir string `json:"-"`
}

// Standin answers as Loki does. It is an http.Handler, safe for concurrent use.
type Standin struct {
	mux       *http.ServeMux
	auth      bool
	behind    time.Duration // how far an entry may be behind its stream's newest
	limits    Limits
	overrides map[string]Limits
	store     *store
}

// New returns a stand-in with this configuration.
func New(c Config) (*Standin, error) {
	s := &Standin{mux: http.NewServeMux(), auth: c.AuthEnabled, behind: defaultChunkAge / 2, overrides: map[string]Limits{}}
	var err error
	if c.MaxChunkAge != "" {
		age, err := time.ParseDuration(c.MaxChunkAge)
		if err != nil {
			return nil, fmt.Errorf("lokitest: ingester.max_chunk_age: %w", err)
		}
		s.behind = age / 2
	}
	if s.limits, err = DefaultLimits().With(c.Limits); err != nil {
		return nil, err
	}
	for tenant, config := range c.Overrides {
		if s.overrides[tenant], err = s.limits.With(config); err != nil {
			return nil, fmt.Errorf("of tenant %s: %w", tenant, err)
		}
	}
	if s.store, err = openStore(c.Dir); err != nil {
		return nil, err
	}
	s.routes()
	return s, nil
}

// Close closes the files in Config.Dir, if there are any.
func (s *Standin) Close() error { return s.store.close() }

func (s *Standin) limitsOf(tenant string) Limits {
	if l, ok := s.overrides[tenant]; ok {
		return l
	}
	return s.limits
}
